#!/bin/bash
# Prints the directory of the newest Debian kernel from Linux 7.3 on, downloading it into a cache when
# need be.
#
# Usage: fetch_kernel.sh CACHE FLAVOUR [SERIES]
#   FLAVOUR   cloud-amd64 (small; no 9p) or amd64 (all modules)
#   SERIES    only kernels whose version begins so, such as 7.3
#
# The directory, CACHE/KERNEL_RELEASE, holds vmlinuz, a file `version` with the version of the package,
# and the modules as depmod and modprobe expect them: lib/modules/KERNEL_RELEASE.
#
# All suites that may be ahead of this machine's are asked. What the cache holds is taken for new enough
# for a day, and for better than nothing without a network. Exits with 1, the reason on stderr, when
# there is neither.
set -euo pipefail
. "$(dirname "$0")/../lib/apt.sh"

readonly OLDEST=7.3
# By codename: mirrors behind a cache may serve the aliases (unstable, stable-backports) weeks old. What
# testing has, sid has too. A suite that does not exist (yet, or any more) is passed over.
readonly SUITES=(trixie-backports forky-backports sid experimental)

cache=$1
flavour=$2
series=${3:-}
mkdir -p "$cache"
cache=$(realpath "$cache")
readonly CHECKED=$cache/.checked-$flavour-$series

# Two runs at a time would download twice, and one could see the other's half.
exec 8>"$cache/.lock"
flock 8

# acceptable VERSION: new enough, and of the series that was asked for. 7.3~rc1 is Linux 7.3, too.
acceptable() {
  dpkg --compare-versions "$1" ge "$OLDEST~" && [[ -z "$series" || "$1" =~ ^"$series"([.~+-]|$) ]]
}

# newest: reads lines "VERSION REST" and prints that of the newest acceptable version.
newest() {
  local version rest
  while read -r version rest; do
    ! acceptable "$version" || printf '%s %s\n' "$version" "$rest"
  done | sort -V | tail -n 1
}

# The directory of the newest kernel in the cache, if any. `amd64` is not `cloud-amd64`.
cached() {
  local directory release
  for directory in "$cache"/[0-9]*-"$flavour"; do
    release=${directory##*/}
    [[ -e "$directory/version" && "${release%-"$flavour"}" != *-* ]] || continue
    printf '%s %s\n' "$(<"$directory/version")" "$directory"
  done | newest | cut -d' ' -f2-
}

# The packages that carry an image: linux-binary-RELEASE, or linux-binary-unsigned-RELEASE while the signed
# one lags behind. QEMU starts either. Prints "VERSION PACKAGE RELEASE" for each version on offer.
offered() {
  local pattern="^linux-binary-(unsigned-)?([0-9][^-]*-$flavour)\$"
  local package version _
  apt-cache "${PRIVATE_APT[@]}" pkgnames linux-binary- | grep -E "$pattern" |
    xargs -r apt-cache "${PRIVATE_APT[@]}" madison |
    while IFS=' |' read -r package version _; do
      [[ "$package" =~ $pattern ]] && printf '%s %s %s\n' "$version" "$package" "${BASH_REMATCH[2]}"
    done
}

# fetch WORK: brings the newest kernel on offer into the cache, unless it is there already.
fetch() {
  local work=$1 version package release
  cd "$work"
  apt-get "${PRIVATE_APT[@]}" update || true # fails for a suite that does not exist
  compgen -G "lists/*_InRelease" >/dev/null || {
    echo "the mirror that apt knows cannot be reached"
    return 1
  }
  read -r version package release < <(offered | newest)
  [[ -n "$release" ]] || {
    echo "no kernel $OLDEST or later of flavour $flavour${series:+ and series $series} is on offer"
    return 1
  }
  [[ "$(cat "$cache/$release/version" 2>/dev/null)" == "$version" ]] || {
    apt-get "${PRIVATE_APT[@]}" download "$package=$version" "linux-modules-$release=$version" &&
      unpack "$work" "$release" "$version" || return
  }
  touch "$CHECKED"
}

# unpack WORK RELEASE VERSION: from the packages in WORK into the cache, complete or not at all.
unpack() {
  local work=$1 release=$2 version=$3 package
  local new=$work/new
  mkdir "$new"
  for package in "$work"/*.deb; do
    dpkg-deb --extract "$package" "$work/files" || return
  done
  mkdir -p "$new/lib"
  mv "$work/files/usr/lib/modules" "$new/lib/modules" &&
    mv "$new/lib/modules/$release"/vmlinuz* "$new/vmlinuz" &&
    depmod --basedir "$new" "$release" || return
  printf '%s\n' "$version" >"$new/version"
  rm -rf "${cache:?}/$release"
  mv "$new" "$cache/$release"
}

# Without depmod there would be no order to load modules in.
PATH=$PATH:/usr/sbin:/sbin
found=$(cached)
if [[ -z "$found" || -z "$(find "$CHECKED" -mtime -1 2>/dev/null)" ]]; then
  if mirror=$(debian_mirror); then
    work=$(mktemp -d "$cache/.apt.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    private_apt "$work" deb "$mirror" "${SUITES[@]}"
    fetch "$work" >"$work/log" 2>&1 || [[ -n "$found" ]] || {
      printf 'no kernel for the guest: %s\n' "$(tail -n 1 "$work/log")" >&2
      exit 1
    }
    found=$(cached)
  fi
fi
[[ -n "$found" ]] || exit 1
printf '%s\n' "$found"
