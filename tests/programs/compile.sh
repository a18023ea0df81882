#!/bin/bash
# This project's core compiled inside the mount: sources, objects, dependency files and the archive
# all go through it. The objects must be those that the same compiler makes outside.
#
#   compile.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 400 "$@"
need g++ ar

# The sources are found next to this file, whether it is run in place or through Bazel's links.
tree=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
[[ -d "$tree/core" ]] || fail "the sources are not beside the test: no directory core in $tree"

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mount_shuntfs "$MODE" "$src" "$mnt"

mkdir "$WORK/sources"
must cp -r "$tree/core" "$WORK/sources"

# compile DIR: copies the sources there and compiles them in such a way that the place does not show
# in the objects.
compile() (
  cd "$1" || exit 1
  cp -r "$WORK/sources/core" . || exit 1
  find core -name '*.cc' | LC_ALL=C sort >sources
  xargs -a sources -P 2 -I{} g++ -std=c++20 -O0 -I. -MMD -frandom-seed={} \
    -ffile-prefix-map="$PWD"=. -c {} -o {}.o || exit 1
  sed 's/$/.o/' sources | xargs ar rcsD libcore.a
)

mkdir "$WORK/outside" "$mnt/inside"
note "compile $(find "$WORK/sources" -name '*.cc' | wc -l) files outside"
must compile "$WORK/outside"
note "compile them inside"
must compile "$mnt/inside"
(($(find "$mnt/inside" -name '*.o' | wc -l) >= 10)) ||
  fail "too few objects for this to be the project"
must diff -r "$WORK/outside" "$mnt/inside"
# The next build would compile nothing: no source is newer than its object.
while read -r source; do
  [[ "$mnt/inside/$source.o" -nt "$mnt/inside/$source" ]] ||
    fail "$source is not older than its object"
done <"$mnt/inside/sources"

assert_mode_served "$MODE" "$mnt" 500
umount_shuntfs "$MODE" "$mnt"
must diff -r "$WORK/outside" "$src/inside"
