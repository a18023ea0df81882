#!/bin/bash
# Prints the path of the newest linux/fuse.h that Debian serves, downloading it into a cache when need be.
#
# Usage: fetch_fuse_header.sh CACHE
#
# Asks the mirror that this machine's apt uses about unstable and experimental, in an apt configuration
# of its own: the system's package lists and sources stay as they are. What the cache holds is
# taken for new enough for a day, and for better than nothing without a network. Exits with 1, the
# reason on stderr, when there is neither.
set -euo pipefail
cache=$1/linux-libc-dev
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$cache"

cached() { find "$cache" -maxdepth 1 -name 'fuse-*.h' -printf '%f\n' | sort -V | tail -n 1; }

if [ -n "$(cached)" ] && [ -n "$(find "$cache/checked" -mtime -1 2>/dev/null)" ]; then
  printf '%s\n' "$cache/$(cached)"
  exit 0
fi

work=$(mktemp -d "$cache/apt.XXXXXX")
trap 'rm -rf "$work"' EXIT
# apt drops its privileges for downloads, to a user who must reach this.
chmod 755 "$work"
mkdir -p "$work"/{lists/partial,archives/partial,parts,preferences}

mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
  grep -E '/debian/?$' | sort -u | head -n 1 || true)
if [ -z "$mirror" ] && [ -z "$(cached)" ]; then
  printf 'no kernel header: apt knows no Debian mirror; run apt-get update\n' >&2
  exit 1
fi
for suite in unstable experimental forky-backports trixie-backports; do
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
done >"$work/sources.list"
: >"$work/status"

# A mirror that lags behind will do: an outdated header is signed all the same.
options=(
  -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false
  -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status"
  -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives"
  -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts"
  -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$work/preferences"
  -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20
  -o APT::Sandbox::User="$(id -un)" -o APT::Get::List-Cleanup=false
  -o APT::Update::Post-Invoke-Success::= -o Dir::Log=/dev/null
)

fetch() {
  cd "$work"
  apt-get -qq "${options[@]}" update &&
    version=$(apt-cache "${options[@]}" madison linux-libc-dev | cut -d'|' -f2 | tr -d ' ' | sort -V | tail -n 1) &&
    [ -n "$version" ] &&
    apt-get -qq "${options[@]}" download "linux-libc-dev=$version" &&
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
