#!/bin/bash
# Prints the path of the newest linux/fuse.h that Debian serves, downloading it into a cache when need be.
#
# Usage: fetch_fuse_header.sh CACHE
#
# Asks the mirror that this machine's apt uses about unstable, experimental and the backports. What the cache holds is
# taken for new enough for a day, and for better than nothing without a network. Exits with 1, the
# reason on stderr, when there is neither.
set -euo pipefail
. "$(dirname "$0")/../lib/apt.sh"
cache=$1/linux-libc-dev
mkdir -p "$cache"

cached() { find "$cache" -maxdepth 1 -name 'fuse-*.h' -printf '%f\n' | sort -V | tail -n 1; }

if [ -n "$(cached)" ] && [ -n "$(find "$cache/checked" -mtime -1 2>/dev/null)" ]; then
  printf '%s\n' "$cache/$(cached)"
  exit 0
fi

if ! mirror=$(debian_mirror) && [ -z "$(cached)" ]; then
  exit 1
fi
work=$(mktemp -d "$cache/apt.XXXXXX")
trap 'rm -rf "$work"' EXIT
private_apt "$work" deb "$mirror" unstable experimental forky-backports trixie-backports

fetch() {
  cd "$work"
  # A suite that does not exist (yet, or any more) is passed over.
  apt-get "${PRIVATE_APT[@]}" update || true
  version=$(apt-cache "${PRIVATE_APT[@]}" madison linux-libc-dev | cut -d'|' -f2 | tr -d ' ' | sort -V | tail -n 1) &&
    [ -n "$version" ] &&
    apt-get "${PRIVATE_APT[@]}" download "linux-libc-dev=$version" &&
    dpkg-deb --fsys-tarfile linux-libc-dev_*.deb | tar -x --wildcards '*/linux/fuse.h' &&
    found=$(find "$work" -path '*/linux/fuse.h' -type f | head -n 1) &&
    [ -n "$found" ] &&
    mv "$found" "$cache/fuse-${version//[^a-zA-Z0-9.~+-]/_}.h" &&
    touch "$cache/checked"
}

if ! fetch >"$work/log" 2>&1 && [ -z "$(cached)" ]; then
  printf 'no kernel header from %s: %s\n' "$mirror" "$(tail -n 1 "$work/log")" >&2
  exit 1
fi
printf '%s\n' "$cache/$(cached)"
