#!/bin/bash
# The randomized model test on a mount: the same operations on the mount and on a plain directory,
# outcomes and states compared. Once alone, then with several processes at work in the same mount,
# over a disk and over tmpfs, and once with attribute and entry caching off.
#
#   model.sh plain|device|per-entry [SEED]
#
# Without SEED each run takes another one; the program prints the seed of a sequence that failed.
source "$(dirname "$0")/../lib/mount.sh"
test_begin 400 "$@"

seed=${2:-${SHUNTFS_MODEL_SEED:-$(date +%s%N)}}
# A sequence has the number seed + i; the base leaves room for all of them.
seed=$((seed % 1000000000 * 100000))
model=$(find_program tests/integrity/model) || exit 1

# agree BACKING_KIND OPTIONS SEQUENCES PROCESSES
agree() {
  local kind=$1 options=$2 processes=$4 sequences
  sequences=$(shortened "$3" "$processes")
  local top="$WORK/$kind.$processes.${options//[^a-z]/}"
  note "model: $kind, options '$options', $sequences sequences in $processes processes, seed $seed"
  make_backing "$top" "$kind"
  mkdir "$top/src" "$top/plain" "$WORK/mnt.${top##*/}"
  local mnt="$WORK/mnt.${top##*/}"
  mount_shuntfs "$MODE" "$top/src" "$mnt" "$options"
  must "$model" --mount="$mnt" --plain="$top/plain" --backing="$top/src" \
    --seed="$seed" --sequences="$sequences" --processes="$processes"
  # A sequence takes a hundred operations, more than half of which reach the daemon.
  assert_mode_served "$MODE" "$mnt" "$((sequences * 50))"
  umount_shuntfs "$MODE" "$mnt"
  seed=$((seed + sequences))
}

agree ext4 "" 800 1
agree ext4 "" 1200 4
agree tmpfs "" 800 3
agree tmpfs "entry_timeout=0,attr_timeout=0,negative_timeout=0" 400 2
