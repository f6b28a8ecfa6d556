#!/bin/sh
# The agent's addresses as a header, and a check of what it must not have: data, and too much text.
set -e
nm=$1 program=$2 blob=$3 header=$4
if "$nm" "$program" | grep -q ' [BbDdRrGgSs] '; then
    echo "the agent has data of its own:" >&2
    "$nm" "$program" | grep ' [BbDdRrGgSs] ' >&2
    exit 1
fi
size=$(wc -c <"$blob")
[ "$size" -le 8192 ] || { echo "the agent's text is $size bytes, more than 8192" >&2; exit 1; }
{
    echo '/* Made from the agent by symbols.sh. */'
    "$nm" "$program" | awk '$2 == "T" && $3 ~ /^tap_/ { printf "#define %s_AT 0x%sUL\n", toupper($3), $1 }'
    echo "#define TAP_AGENT_SIZE $size"
} >"$header"
