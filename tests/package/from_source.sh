#!/bin/bash
# tools/package makes a package from a copy of this tree on a bare system of a release, which then pleases
# that release's lintian, and lives in another fresh system of it.
#
#   from_source.sh device CODENAME
source "$(dirname "$0")/../lib/mount.sh"
test_begin 3500 "$@"
source "$(dirname "$0")/chroot.sh"
need debootstrap python3
codename=$2
tree=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")

make_chroot "$WORK/fresh" "$codename"
must cp -a "$WORK/fresh" "$WORK/builder"

enter "$WORK/builder"
mkdir "$CHROOT/tree"
tar -C "$tree" --exclude='./bazel-*' --exclude=./.cache --exclude=./user.bazelrc -cf - . | tar -C "$CHROOT/tree" -xf - ||
  fail "cannot copy the tree"
# Bazel leaves a server behind, which ends with this namespace.
build_package() {
  inside unshare --pid --fork --kill-child --propagation unchanged --mount-proc /tree/tools/package --output=/tmp "$@" >"$WORK/package.log" 2>&1 ||
    fail "tools/package: $(tail -n 20 "$WORK/package.log")"
  tail -n 1 "$WORK/package.log"
}
note "tools/package on a bare system"
old=$CHROOT$(build_package) || exit
note "${old##*/}"
new=$CHROOT$(build_package --version="$(version_of "$old").1") || exit
note "${new##*/}"
quietly apt-get -q -y install --no-install-recommends lintian
quietly lintian --allow-root --fail-on error "${new#"$CHROOT"}"

enter "$WORK/fresh"
life_of_package "$old" "$new"
