#!/bin/bash
# An administrator's day, with a real systemd as the first process of a guest: the package is installed and units are
# enabled before the boot (before_boot.sh), then what is done while the machine runs (day.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tool=$here/../../daemon/shuntfs
[ -x "$tool" ] || tool=$here/../../bazel-bin/daemon/shuntfs
build=$(readlink -f "$here/../../tools/deb/build")
# Not in /tmp: the guest sees the files of this machine's disk.
packages=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/packages.XXXXXX")
trap 'rm -rf "$packages"' EXIT
version=$("$tool" version | cut -d' ' -f2)
SHUNTFS_PACKAGE=$("$build" "$tool" "$version-1~test1" "$packages")
SHUNTFS_NEXT_PACKAGE=$("$build" "$tool" "$version-1~test2" "$packages")
export SHUNTFS_PACKAGE SHUNTFS_NEXT_PACKAGE
"$here/../guest/run" --systemd --before="$here/before_boot.sh" --timeout=600 bash "$here/day.sh"
