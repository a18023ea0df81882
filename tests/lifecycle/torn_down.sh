#!/bin/bash
# A connection that is torn down under load, in turns by an abort and by the death of the daemon: the
# clients are told and end, the mount can be taken away, the next one works, and the kernel gives
# everything back: pages of callers and of the region, and objects of FUSE and io_uring.
#
#   torn_down.sh device|per-entry|buffer-pool|zero-copy
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 560 "$@"
[[ "$MODE" != plain ]] || skip "there is no connection to tear down in plain mode"

readonly CLIENTS=4
rounds=$(shortened 200 20)
own_bytes=$(find_program tests/integrity/own_bytes) || exit 1
src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mkdir "$mnt"

# start_clients NUMBER: returns when each has read or written something. Sets CLIENTS_PID.
start_clients() {
  : >"$WORK/clients"
  background "$own_bytes" --dir="$mnt" --backing="$src" --clients="$CLIENTS" --operations=0 \
    --seed="$1" >"$WORK/clients" 2>&1
  CLIENTS_PID=$!
  wait_until 60 grep -qx ready "$WORK/clients" || fail "the clients do not get going: $(<"$WORK/clients")"
}

# All of them were told an error that tells of an end, and read no byte of another.
end_of_clients() {
  wait_until 40 _has_ended "$CLIENTS_PID" ||
    fail "clients still wait: $(ps -o pid,stat,wchan:32,args --ppid "$CLIENTS_PID")"
  wait "$CLIENTS_PID" || fail "the clients saw what they should not have: $(<"$WORK/clients")"
}

# Nobody writes any more, and what the end cut off is in the files or is not: whatever is there is the file's own.
check_files() {
  must "$own_bytes" --check --backing="$src" --clients="$CLIENTS"
}

kill_daemon() {
  must kill -KILL "$DAEMON_PID"
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 137 "exit status of a killed daemon"
  end_of_clients
  assert_not_connected stat "$mnt/own0"
  must timeout 60 "$SHUNTFS" umount "$mnt"
}

abort_connection() {
  must tee "$FUSE_CONNECTIONS/${CONNECTION%%:*}/abort" <<<1 >/dev/null
  end_of_clients
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 1 "exit status of a daemon whose connection was aborted"
}

# --- What the kernel holds ------------------------------------------------------------------------

# Objects of FUSE and io_uring, by cache; nothing where the kernel does not tell.
objects() {
  local cache
  # What lies in a CPU's reserve counts as in use; shrinking a cache returns it.
  for cache in /sys/kernel/slab/{fuse,io_}*; do
    [[ ! -w "$cache/shrink" ]] || echo 1 >"$cache/shrink"
  done
  awk '$1 ~ /^(fuse_|io_|iou_)/ { print $1, $2 }' /proc/slabinfo 2>/dev/null
}

available_kib() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
  awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

# A machine of the test's own, where nobody else takes or pins memory.
is_own_machine() { [[ -n "${GUEST_OUTPUT:-}" ]]; }

remember_kernel() {
  AVAILABLE_BEFORE=$(available_kib)
  OBJECTS_BEFORE=$(objects)
  remember_machine
  note "before: $AVAILABLE_BEFORE KiB available, $PINNED_BEFORE pages pinned, $LOCKED_BEFORE KiB locked," \
    "objects: ${OBJECTS_BEFORE//$'\n'/, }"
}

# One lost region is 32 MiB, and one lost page of a caller per round is seen in what is pinned. Page
# tables, slabs and the journal of the disk move what is available by some MiB.
readonly AVAILABLE_NOISE_KIB=12288
_is_available_again() { (($(available_kib) > AVAILABLE_BEFORE - AVAILABLE_NOISE_KIB)); }
_is_unpinned() { (($(pinned_pages) <= PINNED_BEFORE)); }
_is_unlocked() { (($(locked_kib) <= LOCKED_BEFORE)); }

# Objects that are lost once in a round; a cache may hold some for a while.
_lost_objects() {
  join <(sort <<<"$OBJECTS_BEFORE") <(objects | sort) |
    awk -v rounds="$1" '$3 - $2 >= rounds { print $1 ": " $2 ", now " $3 }'
}
_no_lost_objects() { [[ -z "$(_lost_objects "$1")" ]]; }

assert_kernel_as_before() {
  local cycles=$1
  wait_until 20 _is_unpinned || fail "pinned pages: $PINNED_BEFORE before, $(pinned_pages) after $cycles rounds"
  wait_until 20 _is_unlocked || fail "locked memory: $LOCKED_BEFORE KiB before, $(locked_kib) KiB after $cycles rounds"
  wait_until 20 _is_available_again ||
    fail "available memory: $AVAILABLE_BEFORE KiB before, $(available_kib) KiB after $cycles rounds"
  [[ -n "$OBJECTS_BEFORE" ]] || fail "this kernel does not tell what its caches hold"
  wait_until 20 _no_lost_objects "$cycles" || fail "objects of the kernel are lost: $(_lost_objects "$cycles")"
  note "after: $(available_kib) KiB available, $(pinned_pages) pages pinned, $(locked_kib) KiB locked," \
    "objects: $(objects | paste -sd,)"
}

# --------------------------------------------------------------------------------------------------

note "$rounds rounds"
for ((round = 0; round <= rounds; ++round)); do
  start_daemon "$MODE" "$src" "$mnt"
  start_clients "$round"
  # The first round proves the mode, and what it leaves behind was to be used again by the others.
  if ((round == 0)); then
    assert_mode_served "$MODE" "$mnt" "$CLIENTS"
    assert_data_moved_as "$MODE" "$mnt"
  fi
  if ((round % 2 == 0)); then kill_daemon; else abort_connection; fi
  assert_gone "$mnt" "$DAEMON_PID" "$CONNECTION"
  check_files
  if ((round == 0)); then
    if is_own_machine; then remember_kernel; else remember_machine; fi
  fi
done
if is_own_machine; then assert_kernel_as_before "$rounds"; else assert_machine_as_before "$rounds"; fi

mount_shuntfs "$MODE" "$src" "$mnt"
must timeout 20 stat "$mnt/own0" >/dev/null
umount_shuntfs "$MODE" "$mnt"
