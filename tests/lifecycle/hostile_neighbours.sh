#!/bin/bash
# One user takes all that it can get: ring entries and threads (opens that wait for leases, copies),
# descriptors, inodes, directories, deleted large files. Another one's calls succeed on every CPU, and
# the mount is as before when the first is killed.
#
#   hostile_neighbours.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 120 "$@"
need python3

readonly HOSTILE_UID=1000 VICTIM_UID=2000
neighbours="$(dirname "$0")/../lib/neighbours.py"
src="$WORK/src"
mnt="$WORK/mnt"
mkdir -p "$src/hostile" "$src/victim" "$mnt"
chown "$HOSTILE_UID" "$src/hostile"
chown "$VICTIM_UID" "$src/victim"
mount_shuntfs "$MODE" "$src" "$mnt"
cpus=$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:4])')

# victims ROUNDS: at work on all CPUs at once.
victims() {
  local pids=() cpu pid
  for cpu in $cpus; do
    background timeout 60 python3 "$neighbours" victim "$mnt" "$VICTIM_UID" "$cpu" "$1"
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || fail "a call of the other user failed, or did not return"; done
}

note "alone"
victims 10
background python3 "$neighbours" hostile "$src" "$mnt" "$HOSTILE_UID" >"$WORK/ready"
hostile=$!
is_ready() { grep -q ready "$WORK/ready"; }
wait_until 60 is_ready || fail "the hostile user does not get going: $(_process_state "$hostile")"
share_is_used_up() {
  if over_ring "$MODE"; then
    (($(status_field "$mnt" transport.refused_waits) > 0))
  else
    (($(status_field "$mnt" load.slow_pool.waiting) > 0))
  fi
}
[[ "$MODE" == plain ]] || wait_until 20 share_is_used_up || fail "no share is used up"
note "beside the hostile user"
victims 40
! _has_ended "$hostile" || fail "the hostile user has ended"

if [[ "$MODE" != plain ]]; then
  note "load: $(status_field "$mnt" load.slow_pool), $(status_field "$mnt" transport)"
  share_is_used_up || fail "no share was used up"
  (($(status_field "$mnt" transport.late_closes) > 0)) || fail "no large file was deleted"
fi

must kill -KILL "$hostile"
wait_until 20 _has_ended "$hostile" || fail "the hostile user cannot be killed"
wait "$hostile"
if [[ "$MODE" != plain ]]; then
  nothing_left() {
    [[ "$(status_field "$mnt" resources.handles)" == 0 && "$(status_field "$mnt" load.slow_pool.busy)" == 0 ]]
  }
  wait_until 20 nothing_left ||
    fail "left: $(status_field "$mnt" resources), $(status_field "$mnt" load.slow_pool)"
fi
note "alone again"
victims 10
assert_mode_served "$MODE" "$mnt" 500
umount_shuntfs "$MODE" "$mnt"
