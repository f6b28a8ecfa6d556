#!/bin/sh
# Runs a test as an ordinary user. Skips (77) where we are one already, or where that user cannot
# reach the build directory.
[ "$(id -u)" = 0 ] || exit 77
as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
if ! $as_user test -x "$IOTRACE"; then
    echo "an ordinary user cannot reach $IOTRACE: clone into a directory that others may enter" >&2
    exit 77
fi
HOME=/tmp exec $as_user "$@"
