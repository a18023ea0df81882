#!/bin/bash
# Builds libfuse's example file systems passthrough_hp and passthrough_ll from Debian's newest fuse3
# source package: that of sid, whose version has the ring, whatever release this machine runs.
#
# Usage: build_peers.sh CACHE_DIR
# Prints the directory that holds the two programs. Nothing is done when they are there already; remove
# CACHE_DIR to have a newer version built. Needs dpkg-dev, meson, ninja-build, g++, liburing-dev, libnuma-dev.
set -euo pipefail
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

# An apt of its own: its lists and sources never mix with those of the system. The machine's mirror may be
# another than Debian's, and only its apt configuration tells.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
  grep -v security | head -n 1 || true)
if [ -z "$mirror" ]; then
  echo "no Debian mirror is known to apt, so the peers cannot be fetched; run apt-get update" >&2
  exit 1
fi
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "deb-src $mirror sid main" >"$work/sources.list"
apt=(apt-get -q
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
  -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=-"
  -o "APT::Sandbox::User=$(id -un)")

{
  cd "$work"
  "${apt[@]}" update
  "${apt[@]}" source --download-only fuse3
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
