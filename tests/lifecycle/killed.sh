#!/bin/bash
# A daemon that is killed leaves a mount that answers ENOTCONN at once. The next `shuntfs mount` on
# it cleans up by itself; what was acknowledged before is in the backing files; nothing accumulates.
#
#   killed.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 400 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to kill in plain mode"
need python3

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"

kill_daemon() {
  must kill -KILL "$DAEMON_PID"
  # Ended means: every descriptor of the connection is closed, and so no client can wait any longer.
  end_of_daemon "$DAEMON_PID"
  equal "$DAEMON_STATUS" 137 "exit status of a killed daemon"
}

note "killed while idle, and mounted again"
start_daemon "$MODE" "$src" "$mnt"
equal "$(cat "$mnt/file")" content "a file through the mount"
kill_daemon
assert_not_connected ls "$mnt"
mount_shuntfs "$MODE" "$src" "$mnt"
equal "$(cat "$mnt/file")" content "a file through the second mount"
equal "$(grep -c " $mnt " /proc/self/mountinfo)" 1 "mounts at the mount point after cleaning up"
umount_shuntfs "$MODE" "$mnt"

note "killed, and only unmounted"
start_daemon "$MODE" "$src" "$mnt"
kill_daemon
assert_not_connected ls "$mnt"
must timeout 60 "$SHUNTFS" umount "$mnt"
! device_of_mount "$mnt" >/dev/null || fail "umount left the dead mount"

note "umount --dead removes what is dead and nothing else"
start_daemon "$MODE" "$src" "$mnt"
printf 'mountpoint = "%s"\nwrong = 1\n' "$mnt" >"$WORK/mount.toml"
must timeout 60 "$SHUNTFS" umount --dead "$mnt"
must timeout 60 "$SHUNTFS" umount --dead --config="$WORK/mount.toml"
equal "$(cat "$mnt/file")" content "a file of a mount that lives, after umount --dead"
kill_daemon
assert_not_connected ls "$mnt"
must timeout 60 "$SHUNTFS" umount --dead --config="$WORK/mount.toml"
! device_of_mount "$mnt" >/dev/null || fail "umount --dead left the dead mount"
must timeout 60 "$SHUNTFS" umount --dead "$mnt"

note "the sockets of killed daemons do not stay"
sockets() { find /run/shuntfs -name "*-$1.sock" | wc -l; }
mkdir "$WORK/other"
start_daemon "$MODE" "$src" "$mnt"
first=$DAEMON_PID
kill_daemon
equal "$(sockets "$first")" 1 "sockets of a killed daemon, before"
mount_shuntfs "$MODE" "$src" "$WORK/other"
equal "$(sockets "$first")" 0 "sockets of a killed daemon, after the next mount elsewhere"
living=$(daemon_pid "$WORK/other")
must timeout 60 "$SHUNTFS" umount "$mnt"
start_daemon "$MODE" "$src" "$mnt"
second=$DAEMON_PID
kill_daemon
must timeout 60 "$SHUNTFS" status >/dev/null
equal "$(sockets "$second")" 0 "sockets of a killed daemon, after status"
equal "$(sockets "$living")" 1 "sockets of the daemon that lives"
must timeout 60 "$SHUNTFS" umount "$mnt"
umount_shuntfs "$MODE" "$WORK/other"

readonly REPETITIONS=20
note "killed under load and mounted again, $REPETITIONS times"
remember_machine
for ((i = 0; i < REPETITIONS; ++i)); do
  start_daemon "$MODE" "$src" "$mnt"
  start_load "$mnt" load
  assert_mode_served "$MODE" "$mnt" 100
  kill_daemon
  assert_not_connected ls "$mnt"
  end_of_load load "$src"
done
mount_shuntfs "$MODE" "$src" "$mnt"
umount_shuntfs "$MODE" "$mnt"
assert_machine_as_before "$REPETITIONS"
