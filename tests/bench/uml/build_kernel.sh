#!/bin/bash
# Prints the path of a User-Mode Linux 7.3, building it from Debian's source package into a cache when need be.
#
# Usage: build_kernel.sh CACHE
#
# Takes 4 to 8 minutes on 2 CPUs, once for each version of the package linux-source-7.3 (of the backports) and of the
# file `config`. What the cache holds is looked for anew after a day, and used without a network, too. The source goes
# when the kernel is built. Needs gcc, make, flex, bison, bc and xz-utils. Exits with 1, the reason on stderr.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../lib/apt.sh"
[ $# = 1 ] || {
  echo "usage: build_kernel.sh CACHE" >&2
  exit 2
}
readonly PACKAGE=linux-source-7.3
readonly SUITES=(trixie-backports)
mkdir -p "$1"
cache=$(realpath "$1")
config=$here/config
suffix=-$(sha256sum "$config" | cut -c1-12)

exec 8>"$cache/.lock"
flock 8

cached() { find "$cache" -maxdepth 2 -path "*$suffix/linux" | sort -V | tail -n 1; }

# fetch WORK: the newest source package's version goes to WORK/version, and the package to WORK unless a kernel of that
# version is there.
fetch() {
  cd "$1"
  apt-get "${PRIVATE_APT[@]}" update &&
    apt-cache "${PRIVATE_APT[@]}" madison "$PACKAGE" | cut -d'|' -f2 | tr -d ' ' | sort -V | tail -n 1 >version &&
    [ -s version ] || {
    echo "$PACKAGE is not on offer"
    return 1
  }
  [ -e "$cache/$(<version)$suffix/linux" ] || apt-get "${PRIVATE_APT[@]}" download "$PACKAGE=$(<version)"
}

# build WORK: makes the kernel and puts it into the cache, where it shows when it is whole.
build() {
  local work=$1 target
  target=$cache/$(<"$work/version")$suffix
  mkdir "$work/source" "$work/built" && cd "$work/source" || return
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -xO "./usr/src/$PACKAGE.tar.xz" | tar -xJ --strip-components=1 || return
  local make=(make ARCH=um "O=$work/built")
  "${make[@]}" KCONFIG_ALLCONFIG="$config" allnoconfig || return
  # An option that this version has no more would be left out without a word.
  local missing
  missing=$(grep '^CONFIG_' "$config" | grep -vxFf "$work/built/.config" || true)
  [ -z "$missing" ] || {
    echo "the kernel does not take: $missing"
    return 1
  }
  "${make[@]}" -j"$(nproc)" linux || return
  mkdir -p "$work/new" && cp "$work/built/linux" "$work/built/.config" "$work/new" && rm -rf "$target" &&
    mv "$work/new" "$target"
}

if [ -z "$(cached)" ] || [ -z "$(find "$cache/checked" -mtime -1 2>/dev/null)" ]; then
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  log=$cache/build.log
  if mirror=$(debian_mirror) && private_apt "$work" deb "$mirror" "${SUITES[@]}" && fetch "$work" >"$log" 2>&1; then
    if compgen -G "$work/*.deb" >/dev/null; then
      build "$work" >>"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "build_kernel.sh: User-Mode Linux cannot be built; the whole log: $log" >&2
        exit 1
      }
    fi
    touch "$cache/checked"
  elif [ -z "$(cached)" ]; then
    echo "build_kernel.sh: no kernel source: $(tail -n 1 "$log" 2>/dev/null)" >&2
    exit 1
  fi
fi
cached
