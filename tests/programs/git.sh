#!/bin/bash
# git inside the mount: clone this repository (where the test runs in one) and a larger one made for
# the test, check out, commit, merge, fsck, gc, and find the same objects as outside.
#
#   git.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 240 "$@"
need git

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mount_shuntfs "$MODE" "$src" "$mnt"

# Nothing of the machine's configuration, and whoever owns a repository, it may be read.
export HOME="$WORK" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=3
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=user.name GIT_CONFIG_VALUE_1=test
export GIT_CONFIG_KEY_2=user.email GIT_CONFIG_VALUE_2=test@example.com
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# A history with many small files, a few large ones and two branches.
make_repository() {
  must git init -q -b main "$1"
  local round
  for round in 1 2 3 4; do
    mkdir -p "$1/part$round"
    seq 1 400 | while read -r i; do
      seq "$round" "$((i % 60 + round))" >"$1/part$round/file$i"
    done
    head -c 1500000 /dev/urandom >"$1/large$round"
    ln -sf "part$round/file1" "$1/link"
    must git -C "$1" add -A
    must git -C "$1" commit -q -m "round $round"
  done
  must git -C "$1" checkout -q -b side HEAD~1
  echo side >"$1/part1/side"
  must git -C "$1" add -A
  must git -C "$1" commit -q -m side
  must git -C "$1" checkout -q main
}

objects() { git -C "$1" rev-list --objects --all | sort | sha256sum; }
assert_clean() { equal "$(git -C "$1" status --porcelain)" "" "changes that git sees in $1"; }

# exercise ORIGIN CLONE
exercise() {
  local origin=$1 clone=$2
  note "clone $(basename "$origin")"
  must git clone -q --no-hardlinks "$origin" "$clone"
  assert_clean "$clone"
  must git -C "$clone" fsck --full --strict --no-progress
  equal "$(git -C "$clone" rev-parse 'HEAD^{tree}')" "$(git -C "$origin" rev-parse 'HEAD^{tree}')" \
    "the tree"

  must git -C "$clone" checkout -q -b work
  seq 1 50 | while read -r i; do echo "$i" >"$clone/new$i"; done
  must git -C "$clone" add -A
  must git -C "$clone" commit -q -m "fifty files"
  must git -C "$clone" mv new1 renamed1
  must git -C "$clone" rm -q new2
  must git -C "$clone" commit -q -m "one renamed, one removed"
  must git -C "$clone" checkout -q HEAD~2
  [[ ! -e "$clone/new3" ]] || fail "a file is left over from another commit"
  must git -C "$clone" checkout -q work
  assert_clean "$clone"

  local before
  before=$(objects "$clone")
  must git -C "$clone" repack -q -a -d -f
  must git -C "$clone" gc -q --aggressive --prune=now
  must git -C "$clone" fsck --full --strict --no-progress
  equal "$(objects "$clone")" "$before" "the objects after gc"
  assert_clean "$clone"
}

make_repository "$WORK/made"
exercise "$WORK/made" "$mnt/made"
must git -C "$mnt/made" merge -q -m merged origin/side
equal "$(<"$mnt/made/part1/side")" side "a merged file"
must git -C "$mnt/made" worktree add -q "$mnt/second" origin/side
assert_clean "$mnt/second"

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
if this=$(git -C "$here" rev-parse --show-toplevel 2>/dev/null); then
  exercise "$this" "$mnt/this"
else
  note "not run from a repository: the made one has to do"
fi
# A clone of the clone, made and read entirely inside.
must git clone -q "$mnt/made" "$mnt/again"
must git -C "$mnt/again" fsck --full --no-progress

assert_mode_served "$MODE" "$mnt" 5000
umount_shuntfs "$MODE" "$mnt"
# What the mount showed is what lies underneath.
must git -C "$src/made" fsck --full --no-progress
assert_clean "$src/made"
