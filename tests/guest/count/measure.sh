#!/bin/bash
# Runs in the guest: reads and writes in every mode between the markers of markers.h.
#
#   measure.sh SHUNTFS CLIENT MODE...      "native" among the MODEs is the backing file itself
#
# Leaves in $GUEST_OUTPUT
#   regions       a line `MODE OPERATION BYTES OPERATIONS` for each marked region, in the order in which they ran
#   status.MODE   what the daemon has counted by then, in JSON
#   symbols       what lies where in the kernel
# Under the plugin each start of a program takes seconds, so there is nothing here that can be done outside.
set -eu
shuntfs=$1 client=$2
shift 2

# The counts of one may hold what else the kernel had to do.
readonly REGIONS=6
readonly OPERATIONS_1M=6 OPERATIONS_4K=64

measure() {
  local mode=$1 file=$2 operation=$3 bytes=$4 operations=$5 i
  "$client" "$file" "$operation" "$bytes" "$operations" "$REGIONS"
  for ((i = 0; i < REGIONS; ++i)); do
    echo "$mode $operation $bytes $operations" >>"$GUEST_OUTPUT/regions"
  done
}

src=/run/scratch/src mnt=/run/scratch/mnt
mkdir "$src" "$mnt"
mount -t tmpfs backing "$src"
head -c $((OPERATIONS_1M << 20)) /dev/urandom >"$src/file"
for mode in "$@"; do
  served=$src
  if [ "$mode" != native ]; then
    "$shuntfs" mount --data-path="$mode" "$src" "$mnt"
    served=$mnt
  fi
  for operation in read write; do
    measure "$mode" "$served/file" "$operation" 1048576 "$OPERATIONS_1M"
    measure "$mode" "$served/file" "$operation" 4096 "$OPERATIONS_4K"
  done
  if [ "$mode" != native ]; then
    "$shuntfs" status --json "$mnt" >"$GUEST_OUTPUT/status.$mode"
    "$shuntfs" umount "$mnt"
  fi
  echo "measured: $mode"
done
cat /proc/kallsyms >"$GUEST_OUTPUT/symbols"
