#!/bin/bash
# Data integrity in the guest: the model, the file exercisers and fio, shortened as emulation needs it.
#
#   integrity.sh MODE
set -u
here=$(dirname "$0")
root=$(cd "$here/../.." && pwd)
mode=${1:?usage: integrity.sh MODE}
readonly SHORTEN=40 TIMEOUT_S=1500

# shellcheck disable=SC2016 # $1 and $2 are the inner shell's
exec "$here/run" --mode="$mode" --timeout="$TIMEOUT_S" --env=SHUNTFS_SHORTEN="$SHORTEN" bash -c '
  status=0
  for script in model fsx fio_verify; do
    "$1/tests/integrity/$script.sh" "$2" || { echo "FAILED: $script: exit status $?"; status=1; }
  done
  exit "$status"' integrity "$root" "$mode"
