#!/bin/sh
# Fetches Debian's source of libevent, builds its tests: DIR/bin/regress.
#
#   tests/suites/libevent.sh DIR
set -eu
mkdir -p "$1"
cd "$1"
[ ! -x bin/regress ] || exit 0

# A list of our own, so that the machine's stays as it is.
mkdir -p lists/partial
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main" >sources.list
set -- -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$PWD/lists"
apt-get "$@" -qq update
apt-get "$@" -qq source --download-only libevent
dpkg-source --no-check -x libevent_*.dsc source >/dev/null

cmake -G Ninja -S source -B . -DEVENT__DISABLE_OPENSSL=ON -DEVENT__DISABLE_BENCHMARK=ON \
    -DEVENT__DISABLE_SAMPLES=ON -DCMAKE_C_FLAGS=-w >cmake.log 2>&1 || { cat cmake.log; exit 1; }
cmake --build . --target regress
