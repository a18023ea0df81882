#!/bin/bash
# A request that cannot be finished delays the end of the daemon; a second signal gives up on it at
# a deadline. The request is one for a backing file system that is stopped. Its client gets an error
# then, and the connection is gone.
#
#   second_signal.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 240 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to end in plain mode"

src="$WORK/src"
mnt="$WORK/mnt"
mkdir -p "$src/slow" "$WORK/slow-files" "$mnt"
# One for each round: what was read once may be answered from a cache.
for i in {1..4}; do echo content >"$WORK/slow-files/file$i"; done
mount_shuntfs device "$WORK/slow-files" "$src/slow"
inner_pid=$(daemon_pid "$src/slow")
trap 'kill -CONT "$inner_pid" 2>/dev/null; exit 1' INT TERM HUP

client_waits() { grep -Eq 'fuse|request_wait' "/proc/$client/stack" 2>/dev/null; }
# A signal that stops reaches the threads one by one; one that is not stopped yet could still answer.
inner_is_stopped() { ! grep -h '^State:' "/proc/$inner_pid/task"/*/status | grep -qv 'T (stopped)'; }
is_detached() { ! device_of_mount "$mnt" >/dev/null; }

# start_client FILE: a client that waits for the inner file system, which is stopped.
start_client() {
  must ls -lR "$mnt" >/dev/null
  must kill -STOP "$inner_pid"
  wait_until 20 inner_is_stopped || fail "the inner file system does not stop"
  background cat "$mnt/slow/$1" >"$WORK/client.out" 2>&1
  client=$!
  wait_until 20 client_waits || fail "the client does not wait for the stopped file system"
}

# give_up FIRST SECOND FILE: ends with two signals while a client waits.
give_up() {
  note "SIG$1, then SIG$2"
  start_daemon "$MODE" "$src" "$mnt" "stop_timeout=3,entry_timeout=600,attr_timeout=600"
  local pid=$DAEMON_PID
  start_client "$3"

  must kill -"$1" "$pid"
  # Two equal signals that are both pending count as one, so the first must have been taken.
  wait_until 20 is_detached || fail "the mount is not detached although it is ending"
  must kill -"$2" "$pid"
  wait_until 30 _has_ended "$client" || fail "the client still waits after the daemon gave up"
  wait "$client" && fail "the client got an answer: $(<"$WORK/client.out")"
  wait_until 10 connection_is_gone "$CONNECTION" || fail "the connection is still there"
  # A thread of the daemon may be inside the stopped file system, where no signal reaches it.
  must kill -CONT "$inner_pid"
  end_of_daemon "$pid"
  note "the daemon's exit status: $DAEMON_STATUS"
}

give_up TERM TERM file1
give_up INT TERM file2
give_up TERM INT file3

note "one signal: the request gets its answer when the backing file system is back"
start_daemon "$MODE" "$src" "$mnt" "stop_timeout=120,entry_timeout=600,attr_timeout=600"
start_client file4
must kill -TERM "$DAEMON_PID"
wait_until 20 is_detached || fail "the mount is not detached although it is ending"
must kill -CONT "$inner_pid"
end_of_daemon "$DAEMON_PID"
equal "$DAEMON_STATUS" 0 "exit status after finishing what was in flight"
wait_until 20 _has_ended "$client" || fail "the client still waits"
umount_shuntfs device "$src/slow"
