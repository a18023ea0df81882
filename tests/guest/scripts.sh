#!/bin/bash
# Script tests in the guest, one after the other in one machine, shortened as emulation needs it.
#
#   scripts.sh MODE SHORTEN TIMEOUT_S [OPTIONS OF run...] -- SCRIPT...
#
# SCRIPTs are named from the top of the tree; each gets MODE. All of them run, whichever fails.
set -u
here=$(dirname "$0")
root=$(cd "$here/../.." && pwd)
mode=${1:?usage: scripts.sh MODE SHORTEN TIMEOUT_S [OPTIONS OF run...] -- SCRIPT...}
shorten=$2 timeout_s=$3
shift 3
options=()
while [ "$1" != -- ]; do
  options+=("$1")
  shift
done
shift

# shellcheck disable=SC2016 # the variables are the inner shell's
exec "$here/run" --mode="$mode" --timeout="$timeout_s" --env=SHUNTFS_SHORTEN="$shorten" "${options[@]}" bash -c '
  root=$1 mode=$2 status=0
  shift 2
  for script in "$@"; do
    "$root/$script" "$mode" || { echo "FAILED: $script: exit status $?"; status=1; }
  done
  exit "$status"' scripts "$root" "$mode" "$@"
