#!/bin/bash
# The first access to an automount's place mounts, waits, and gets its answer from the mount: until then the kernel
# lets only the automounter's process group walk over the mountpoint, and the start has to.
#
#   automount.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 180 "$@"
[[ "$MODE" != plain ]] || skip "there is no start of a daemon in plain mode"
need python3
grep -qw autofs /proc/filesystems || modprobe -q autofs4 || skip "needs autofs: CONFIG_AUTOFS_FS"
lib="$(dirname "$0")/../lib"

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"

background python3 "$lib/automount.py" "$mnt" "$SHUNTFS" mount --data-path="$MODE" "$src" "$mnt" >"$WORK/automount" 2>&1
says() { grep -qx "$1" "$WORK/automount"; }
wait_until 20 says listening || fail "no automount: $(cat "$WORK/automount")"
printf '%s\n' "$mnt" >>"$WORK/.mounts"
ours() { grep -c " $mnt .* - fuse.shuntfs " /proc/self/mountinfo; }
equal "$(ours)" 0 "mounts before anybody asked"

for round in 1 2; do
  note "access $round"
  equal "$(timeout 100 cat "$mnt/file")" content "what the access gets; the automounter says: $(cat "$WORK/automount")"
  equal "$(grep -cx asked "$WORK/automount")" "$round" "how often the automounter was asked"
  equal "$(grep -cx 'exit status 0' "$WORK/automount")" "$round" "how often it has mounted"
  record_mount "$mnt"
  equal "$(ours)" 1 "mounts"
  assert_mode_served "$MODE" "$mnt"
  pid=$(daemon_pid "$mnt")
  equal "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid" "the session of the daemon, once it serves"
  connection=$(connection_identity "$mnt")
  # As the automounter does after a time without access; whoever comes next is to start it anew.
  must timeout 60 umount "$mnt"
  wait_until 20 is_dead "$pid" || fail "the daemon of access $round is still there"
  wait_until 10 connection_is_gone "$connection" || fail "its connection is still there"
  equal "$(ours)" 0 "mounts after umount"
done
equal "$(grep -cx asked "$WORK/automount")" 2 "how often the automounter was asked, in the end"
