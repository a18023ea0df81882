#!/bin/bash
# Every combination of buffered, direct and mapped access, with and without the writeback cache, with
# alignment, size and place (combinations.cc), over a disk and over tmpfs.
#
#   combinations.sh device|per-entry|buffer-pool|zero-copy
source "$(dirname "$0")/../lib/mount.sh"
test_begin 560 "$@"
[[ "$MODE" != plain ]] || skip "the direct I/O is at odd places, which file systems of disks refuse"

combinations=$(find_program tests/integrity/combinations) || exit 1

# walk BACKING_KIND OPTIONS
walk() {
  local kind=$1 options=$2
  local src="$WORK/src.$kind.$options" mnt="$WORK/mnt.$kind.$options"
  note "combinations: $kind, options '$options'"
  make_backing "$src" "$kind"
  mount_shuntfs "$MODE" "$src" "$mnt" "$options"
  must "$combinations" --dir="$mnt" --backing="$src"
  # 330 files, each opened twice, read, written and read again.
  assert_mode_served "$MODE" "$mnt" 2000
  assert_data_moved_as "$MODE" "$mnt"
  umount_shuntfs "$MODE" "$mnt"
}

for kind in ext4 tmpfs; do
  walk "$kind" ""
  walk "$kind" writeback
done
