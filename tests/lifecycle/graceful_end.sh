#!/bin/bash
# SIGTERM, SIGINT and `shuntfs umount` end a mount well: what is in flight is finished, the daemon
# exits with 0, clients that still use the mount are told so at once, every acknowledged write is in
# the backing files, and nothing is left behind. First on an idle mount, then repeatedly under load.
#
#   graceful_end.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 400 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to end in plain mode"
need python3

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"

# end_with HOW PID: asks the daemon to end.
end_with() {
  case "$1" in
    umount) must timeout 60 "$SHUNTFS" umount "$mnt" ;;
    *) must kill -"$1" "$2" ;;
  esac
}

idle_end() {
  note "$1, idle"
  start_daemon "$MODE" "$src" "$mnt"
  equal "$(cat "$mnt/file")" content "a file through the mount"
  assert_mode_served "$MODE" "$mnt"
  end_with "$1" "$DAEMON_PID"
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 0 "exit status after $1"
  assert_gone "$mnt" "$DAEMON_PID" "$CONNECTION"
}

# A file that somebody holds open keeps the mount busy; it is detached all the same.
busy_end() {
  note "$1, busy"
  start_daemon "$MODE" "$src" "$mnt"
  exec 8<>"$mnt/file"
  end_with "$1" "$DAEMON_PID"
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 0 "exit status after $1 on a busy mount"
  assert_not_connected stat -L /proc/self/fd/8
  exec 8>&-
  assert_gone "$mnt" "$DAEMON_PID" "$CONNECTION"
}

# Clients are served on for a part of stop_timeout after the mount is detached; these never stop by
# themselves, so that a short one keeps the test short.
loaded_end() {
  start_daemon "$MODE" "$src" "$mnt" "stop_timeout=1"
  start_load "$mnt" load
  assert_mode_served "$MODE" "$mnt" 100
  end_with "$1" "$DAEMON_PID"
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 0 "exit status after $1 under load"
  end_of_load load "$src"
  assert_gone "$mnt" "$DAEMON_PID" "$CONNECTION"
}

# A daemon that went to the background ends likewise, and no zombie remains of it.
daemonized_end() {
  note "$1, daemonized"
  mount_shuntfs "$MODE" "$src" "$mnt"
  local pid connection
  pid=$(daemon_pid "$mnt")
  connection=$(connection_identity "$mnt")
  equal "$(cat "$mnt/file")" content "a file through the mount"
  end_with "$1" "$pid"
  assert_gone "$mnt" "$pid" "$connection"
}

for how in TERM INT umount; do
  idle_end "$how"
  busy_end "$how"
  daemonized_end "$how"
done

readonly REPETITIONS=7
for how in TERM INT umount; do
  note "$how under load, $REPETITIONS times"
  remember_machine
  for ((i = 0; i < REPETITIONS; ++i)); do loaded_end "$how"; done
  assert_machine_as_before "$REPETITIONS"
done
