#!/bin/bash
# Builds libfuse's example file systems passthrough_hp and passthrough_ll from Debian's newest fuse3
# source package: that of sid, whose version has the ring, whatever release this machine runs.
#
# Usage: build_peers.sh CACHE_DIR
# Prints the directory that holds the two programs. Nothing is done when they are there already; remove
# CACHE_DIR to have a newer version built. Needs dpkg-dev, meson, ninja-build, g++, liburing-dev, libnuma-dev.
set -euo pipefail
. "$(dirname "$0")/../lib/apt.sh"
[ $# = 1 ] || {
  echo "usage: build_peers.sh CACHE_DIR" >&2
  exit 2
}
mkdir -p "$1"
cache=$(realpath "$1")
result=$cache/libfuse
programs=(passthrough_hp passthrough_ll)

if [ -x "$result/passthrough_hp" ] && [ -x "$result/passthrough_ll" ]; then
  echo "$result"
  exit 0
fi

mirror=$(debian_mirror) || exit 1
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
private_apt "$work" deb-src "$mirror" sid

{
  cd "$work"
  apt-get "${PRIVATE_APT[@]}" update
  apt-get "${PRIVATE_APT[@]}" source --download-only fuse3
  dpkg-source --no-check -x fuse3_*.dsc source
  cd source
  meson setup build --buildtype=release -Ddefault_library=static -Dexamples=true -Dutils=false \
    -Dtests=false -Denable-io-uring=true
  nice ninja -C build "${programs[@]/#/example/}"
  mkdir -p "$result"
  cp "${programs[@]/#/build/example/}" "$result"
  dpkg-parsechangelog -S Version >"$result/version"
} >"$cache/build.log" 2>&1 || {
  tail -n 20 "$cache/build.log" >&2
  echo "build_peers.sh: libfuse's examples cannot be built; the whole log: $cache/build.log" >&2
  exit 1
}
echo "$result"
