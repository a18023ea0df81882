#!/bin/bash
# File exercisers on a mount: files changed through every kind of access at once, compared step by
# step with what they must hold; afterwards once more with cold caches and past the mount.
#
#   fsx.sh plain|device|per-entry [SEED]
source "$(dirname "$0")/../lib/mount.sh"
test_begin 300 "$@"

seed=${2:-${SHUNTFS_FSX_SEED:-$(($(date +%s%N) % 1000000000))}}
fsx=$(find_program tests/integrity/fsx) || exit 1

# exercise BACKING_KIND OPTIONS OPERATIONS PROCESSES MAX_LENGTH
exercise() {
  local kind=$1 options=$2 processes=$4 max_length=$5 operations
  operations=$(shortened "$3" 100)
  local name="$kind.$max_length.${options//[^a-z]/}"
  local src="$WORK/src.$name" mnt="$WORK/mnt.$name"
  note "fsx: $kind, options '$options', $processes files of up to $max_length bytes, seed $seed"
  make_backing "$src" "$kind"
  mount_shuntfs "$MODE" "$src" "$mnt" "$options"
  must "$fsx" --dir="$mnt" --backing="$src" --seed="$seed" --operations="$operations" \
    --processes="$processes" --max-length="$max_length"

  local warm
  warm=$(cd "$mnt" && sha256sum ./*)
  sync -f "$mnt"
  echo 3 >/proc/sys/vm/drop_caches
  equal "$(cd "$mnt" && sha256sum ./*)" "$warm" "the files after the caches were dropped"
  equal "$(cd "$src" && sha256sum ./*)" "$warm" "the backing files"
  assert_mode_served "$MODE" "$mnt" "$operations"
  umount_shuntfs "$MODE" "$mnt"
  equal "$(cd "$src" && sha256sum ./*)" "$warm" "the backing files after unmounting"
  seed=$((seed + 100))
}

exercise ext4 "" 6000 4 1048576
exercise tmpfs "" 8000 2 262144
# Many requests per operation: more than a request can carry in one piece.
exercise tmpfs "max_write=64K" 1500 2 8388608
exercise tmpfs "writeback" 6000 3 1048576
# Every transfer through the registered buffers, whatever is faster on this file system.
exercise ext4 "read_policy=fixed,write_policy=fixed" 3000 2 1048576
exercise tmpfs "read_policy=plain,write_policy=plain" 3000 2 1048576
