#!/usr/bin/env bash
# No function over 80 lines and no file over 500 in src; the lines of const tables do not count.
#
#   size.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

find src include -name '*.[ch]' -print0 | sort -z | xargs -0 awk -v function_max=80 -v file_max=500 '
    function end_file() {
        if (lines > file_max) {
            printf "%s: %d lines\n", name, lines
            failed = 1
        }
    }
    FNR == 1 {
        end_file()
        name = FILENAME
        lines = table = start = 0
        body = 0
    }
    /^(static )?const .*= \{$/ { table = 1 }
    !table { lines++ }
    /^};/ { table = 0 }
    # A signature begins behind a blank line, a comment or the end of something.
    /^$/ || /\*\/$/ || /^}/ || /^#/ || /;$/ {
        if (/^}/ && body) {
            if (FNR - start + 1 > function_max) {
                printf "%s:%d: a function of %d lines\n", name, start, FNR - start + 1
                failed = 1
            }
            body = 0
        }
        if (!body)
            start = 0
        next
    }
    !body && !start { start = FNR }
    !body && /^\{$/ { body = 1 }
    END {
        end_file()
        exit failed
    }' >&2
