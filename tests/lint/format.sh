#!/usr/bin/env bash
# The layout is what clang-format 14 makes of it; other versions differ, so without it: a skip.
#
#   format.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

for clang_format in clang-format-14 clang-format; do
    if command -v "$clang_format" >/dev/null &&
        [[ "$("$clang_format" --version)" == *"version 14."* ]]; then
        find src include tests -name '*.[ch]' -print0 |
            xargs -0 "$clang_format" --style=file --dry-run -Werror
        exit
    fi
done
echo "clang-format 14 is not installed" >&2
exit 77
