#!/bin/bash
# The package of the tool as built here pleases lintian, and lives in a fresh system of this machine's release.
source "$(dirname "$0")/../lib/mount.sh"
test_begin 840 "$@"
source "$(dirname "$0")/chroot.sh"
need debootstrap lintian dpkg-shlibdeps python3
[[ "$(. /etc/os-release && echo "$ID")" == debian ]] || skip "needs Debian; derivatives have other mirrors"
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

build=$(readlink -f "$(dirname "$0")/../../tools/deb/build")
version=$("$SHUNTFS" version | cut -d' ' -f2)
old=$("$build" "$SHUNTFS" "$version-1~test1" "$WORK") || fail "no package"
new=$("$build" "$SHUNTFS" "$version-1~test2" "$WORK") || fail "no package"
must lintian --allow-root --fail-on error "$new"

make_chroot "$WORK/$codename" "$codename"
enter "$WORK/$codename"
life_of_package "$old" "$new"
