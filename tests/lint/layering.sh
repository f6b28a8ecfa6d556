#!/usr/bin/env bash
# Who may include whom: the table in docs/architecture.md against every #include in src and include.
#
#   layering.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
failed=0

fail() {
    printf '%s\n' "$*" >&2
    failed=1
}

# Third-party headers and how many files may see them, so that each library can be exchanged.
third_party=(
    'seccomp\.h 2'
    '(libelf|gelf)\.h 1 src/code/elf.c'
    'elfutils/ 1'
    'capstone(/capstone)?\.h 1'
    'uthash\.h 1'
    'cbor(/.*)?\.h 1'
    'nghttp2/ 1'
    'zlib\.h 1'
    'brotli/ 1'
    'zstd\.h 1'
    'pcre2\.h 1'
)

# allowed[folder]: the folders it may include, between spaces; "everything" is all of them.
declare -A allowed=()
while IFS='|' read -r _ folder _ may _; do
    read -r folder <<<"$folder"
    case "$folder" in
    src/* | include/iotrace) allowed[${folder#src/}]=" ${may//,/ } " ;;
    esac
done <docs/architecture.md
if [ "${#allowed[@]}" -lt 2 ]; then
    fail "docs/architecture.md: the table of folders was not found"
fi

# A header that says so belongs to its folder alone.
declare -A private=()
while read -r header; do
    private[${header#src/}]=1
done < <(grep -rl --include='*.h' 'Nothing outside src/[a-z]* includes this' src || true)

# check FILE LINE INCLUDED
check() {
    local file=$1 line=$2 included=$3 from to
    case "$file" in
    include/iotrace/*) from=include/iotrace ;;
    src/*/*) from=${file#src/} from=${from%%/*} ;;
    *) return 0 ;; # src/main.c
    esac
    case "$included" in
    iotrace/*) return 0 ;;
    */*) to=${included%%/*} ;;
    *)
        fail "$file:$line: \"$included\" does not name its folder"
        return 0
        ;;
    esac
    if [ ! -e "src/$included" ]; then
        fail "$file:$line: there is no src/$included"
    elif [ "$from" != "$to" ] && [ -n "${private[$included]:-}" ]; then
        fail "$file:$line: $included is private to src/$to"
    elif [ "$from" != "$to" ] && [[ "${allowed[$from]:-}" != *" $to "* ]] &&
        [[ "${allowed[$from]:-}" != *" everything "* ]]; then
        fail "$file:$line: $from may not include $to"
    fi
}

while IFS=: read -r file line text; do
    [[ "$text" =~ \"([^\"]*)\" ]]
    check "$file" "$line" "${BASH_REMATCH[1]}"
done < <(grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src include)

for folder in src/*/; do
    folder=${folder#src/} folder=${folder%/}
    if [ -z "${allowed[$folder]:-}" ]; then
        fail "src/$folder is not in the table of docs/architecture.md"
    fi
done

for rule in "${third_party[@]}"; do
    read -r header count only <<<"$rule"
    mapfile -t files < <(grep -rlE --include='*.[ch]' \
        "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$header" src include || true)
    if [ "${#files[@]}" -gt "$count" ]; then
        fail "$header is included by ${#files[@]} files, not by $count: ${files[*]}"
    elif [ -n "$only" ] && [ "${#files[@]}" = 1 ] && [ "${files[0]}" != "$only" ]; then
        fail "$header is for $only alone, not for ${files[0]}"
    fi
done
exit $failed
