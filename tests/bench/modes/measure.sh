#!/bin/bash
# Reads and writes a file on tmpfs directly, in every mode; what a machine of ../counts and ../uml runs.
#
#   measure.sh WORK OUTPUT SHUNTFS CLIENT SERIES OPERATIONS_1M OPERATIONS_4K REGIONS LAYOUT,... MODE...
#
# WORK is an empty directory to mount in; "native" among the MODEs is the backing file itself. SHUNTFS and CLIENT are
# programs; a command line in WRAPPER, if any, is put in front of both. Everything is done SERIES times, so that modes
# take turns. Leaves in OUTPUT
#   regions       a line `MODE LAYOUT OPERATION BYTES OPERATIONS NANOSECONDS` for each region of the client, in the
#                 order in which they ran
#   status.MODE   what the daemon has counted in the last series, in JSON
set -eu
work=$1 output=$2 shuntfs=$3 client=$4 series=$5 operations_1m=$6 operations_4k=$7 regions=$8 layouts=${9//,/ }
shift 9
read -ra wrapper <<<"${WRAPPER:-}"

measure() {
  local mode=$1 file=$2 operation=$3 bytes=$4 operations=$5 layout ns
  for layout in $layouts; do
    "${wrapper[@]}" "$client" "$file" "$operation" "$bytes" "$operations" "$regions" "$layout" >"$output/ns"
    while read -r ns; do
      echo "$mode $layout $operation $bytes $operations $ns"
    done <"$output/ns" >>"$output/regions"
  done
}

# Every mode has a mount of its own: what one left behind can change nothing for the next.
src=$work/src mnt=$work/mnt
mkdir "$src" "$mnt"
mount -t tmpfs backing "$src"
head -c $((operations_1m << 20)) /dev/urandom >"$src/file"
for ((i = 1; i <= series; ++i)); do
  for mode in "$@"; do
    served=$src
    if [ "$mode" != native ]; then
      "${wrapper[@]}" "$shuntfs" mount --data-path="$mode" "$src" "$mnt"
      served=$mnt
    fi
    for operation in read write; do
      measure "$mode" "$served/file" "$operation" 1048576 "$operations_1m"
      measure "$mode" "$served/file" "$operation" 4096 "$operations_4k"
    done
    if [ "$mode" != native ]; then
      "$shuntfs" status --json "$mnt" >"$output/status.$mode"
      "$shuntfs" umount "$mnt"
    fi
    echo "measured: $mode, $i of $series"
  done
done
rm "$output/ns"
umount "$src"
