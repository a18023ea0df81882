#!/bin/bash
# A daemon that gets no time to run does later only what still concerns it: it leaves a mount alone that has come to its
# place meanwhile, with its device number too, and a stop whose asker has gone is not carried out.
#
#   late_daemon.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 100 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon in plain mode"

readonly TRIES=30

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"

# umount(8) asks the file system first, which a stopped daemon does not answer.
plain_umount() {
  must timeout 20 python3 -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(os.strerror(ctypes.get_errno()) if libc.umount2(sys.argv[1].encode(), 0) else 0)' "$1"
}

_is_stopped() { [[ "$(_process_state "$1")" == *"State: T"* ]]; }

stop_process() {
  must kill -STOP "$1"
  wait_until 20 _is_stopped "$1" || fail "process $1 does not stop"
}

note "a new mount at the place of the old one, while the old daemon is stopped"
same_number=0
for ((try = 0; try < TRIES && same_number == 0; ++try)); do
  start_daemon "$MODE" "$src" "$mnt"
  old=$DAEMON_PID
  number=$(device_of_mount "$mnt")
  # The kernel gives the lowest free number to the next mount: keep the stop short, and nothing between.
  stop_process "$old"
  plain_umount "$mnt"
  mount_shuntfs "$MODE" "$src" "$mnt"
  [[ "$(device_of_mount "$mnt")" != "$number" ]] || same_number=$((same_number + 1))
  must kill -CONT "$old"
  end_of_daemon "$old"
  equal "$DAEMON_STATUS" 0 "exit status of a daemon whose mount was taken away"
  equal "$(cat "$mnt/file")" content "a file of the new mount, when the old daemon has ended"
  umount_shuntfs "$MODE" "$mnt"
done
((same_number > 0)) || fail "in $TRIES tries no new mount got the device number of the old one"

note "the same with SIGTERM waiting for the old daemon"
start_daemon "$MODE" "$src" "$mnt"
old=$DAEMON_PID
stop_process "$old"
plain_umount "$mnt"
mount_shuntfs "$MODE" "$src" "$mnt"
must kill -TERM "$old"
must kill -CONT "$old"
end_of_daemon "$old"
equal "$DAEMON_STATUS" 0 "exit status of a daemon whose mount was taken away"
equal "$(cat "$mnt/file")" content "a file of the new mount, when the old daemon has ended"
umount_shuntfs "$MODE" "$mnt"

note "umount of a stopped daemon fails, and stays without effect"
mount_shuntfs "$MODE" "$src" "$mnt"
pid=$(daemon_pid "$mnt")
stop_process "$pid"
if timeout 60 "$SHUNTFS" umount "$mnt" 2>"$WORK/error"; then fail "a stopped daemon was unmounted"; fi
[[ -s "$WORK/error" ]] || fail "umount failed and said nothing"
must kill -CONT "$pid"
# The daemon answers in the order in which it was asked: it has seen the stop when it answers this.
equal "$(daemon_pid "$mnt")" "$pid" "the daemon after the umount that failed"
equal "$(cat "$mnt/file")" content "a file after the umount that failed"
assert_mode_served "$MODE" "$mnt"
umount_shuntfs "$MODE" "$mnt"
