#!/bin/bash
# A backing file system that stops answering stops only the requests that need it. SRC holds a FUSE
# mount whose daemon is stopped in its tracks; on every CPU, programs that do not touch it go on
# working while others wait for it. When it answers again, those finish as if nothing had been.
#
#   slow_backing.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 180 "$@"
[[ "$MODE" != plain ]] || skip "without a daemon there is nothing to stop"
need python3 taskset

src="$WORK/src"
mnt="$WORK/mnt"
mkdir -p "$src/fast" "$src/slow" "$WORK/slow-files" "$mnt"
for i in {1..8}; do
  echo "content $i" >"$WORK/slow-files/file$i"
  mkdir "$WORK/slow-files/dir$i"
done
head -c 300000 /dev/urandom >"$src/fast/data"
sum=$(sha256sum <"$src/fast/data")

# The inner mount is on the plainest path, whatever the outer one uses.
mount_shuntfs device "$WORK/slow-files" "$src/slow"
inner_pid=$(daemon_pid "$src/slow")
mount_shuntfs "$MODE" "$src" "$mnt" "entry_timeout=600,attr_timeout=600,negative_timeout=0"
outer_pid=$(daemon_pid "$mnt")

# Everything on the way to the slow files is known to the kernel before they become slow. Otherwise
# a lookup of "slow" itself would wait with a lock of the kernel on the directory that holds it.
must ls -lR "$mnt" >/dev/null
must kill -STOP "$inner_pid"
trap 'kill -CONT "$inner_pid" 2>/dev/null; exit 1' INT TERM HUP
is_stopped() { [[ "$(awk '$1 == "State:" { print $2 }' "/proc/$inner_pid/status")" == T ]]; }
wait_until 10 is_stopped || fail "the inner daemon does not stop"

# wait_for_slow CPU NUMBER: starts clients that need the slow files, by different operations.
STUCK=()
stuck() {
  background "$@" >/dev/null 2>"$WORK/stuck.$((${#STUCK[@]}))"
  STUCK+=($!)
}
cpus=$(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
  awk -F- '{ for (cpu = $1; cpu <= (NF > 1 ? $2 : $1); ++cpu) print cpu }' | head -n 4)
number=0
for cpu in $cpus; do
  number=$((number + 1))
  stuck taskset -c "$cpu" cat "$mnt/slow/file$number"
  stuck taskset -c "$cpu" touch "$mnt/slow/dir$number/new"
  stuck taskset -c "$cpu" ls "$mnt/slow/dir$((number + 4))"
  stuck taskset -c "$cpu" truncate -s 3 "$mnt/slow/file$((number + 4))"
done

all_wait() {
  local pid
  for pid in "${STUCK[@]}"; do
    # D: waiting in the kernel; S: the kernel calls some waits for a reply that.
    [[ "$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status" 2>/dev/null)" == [DS] ]] || return 1
    grep -Eq 'fuse|request_wait' "/proc/$pid/stack" 2>/dev/null || return 1
  done
}
wait_until 20 all_wait ||
  fail "the clients of the slow files do not wait: $(tail -n +1 "$WORK"/stuck.*)"
note "${#STUCK[@]} clients wait for the stopped file system"

for cpu in $cpus; do
  for turn in {1..25}; do
    timeout 20 taskset -c "$cpu" python3 - "$mnt/fast" "$cpu.$turn" <<'END' ||
import os, sys
top, name = sys.argv[1:]
path = f"{top}/file{name}"
with open(path, "w+b") as file:
    file.write(b"x" * 100000)
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    assert len(file.read()) == 100000
os.rename(path, path + ".renamed")
assert name in "".join(os.listdir(top))
os.chmod(path + ".renamed", 0o600)
os.setxattr(path + ".renamed", "user.test", b"value")
os.mkdir(path)
os.rmdir(path)
os.unlink(path + ".renamed")
END
      fail "on CPU $cpu, turn $turn: work beside the slow files fails or waits"
  done
  echo 1 >/proc/sys/vm/drop_caches
  equal "$(timeout 20 taskset -c "$cpu" sha256sum <"$mnt/fast/data")" "$sum" "data read on CPU $cpu"
done
wait_until 1 all_wait || fail "a client of the slow files did not wait for them"
note "CPUs $(tr '\n' ' ' <<<"$cpus"): everything else went on"

must kill -CONT "$inner_pid"
for pid in "${STUCK[@]}"; do
  wait_until 30 _has_ended "$pid" || fail "client $pid still waits although the slow files are back"
  wait "$pid" || fail "client $pid failed: $(tail -n +1 "$WORK"/stuck.*)"
done
[[ -f "$WORK/slow-files/dir1/new" ]] || fail "the file made in the slow directory is missing"
equal "$(stat -c %s "$WORK/slow-files/file5")" 3 "the size of a slow file that was truncated"
assert_mode_served "$MODE" "$mnt" 500
equal "$(daemon_pid "$mnt")" "$outer_pid" "the daemon that serves $mnt"
umount_shuntfs "$MODE" "$mnt"
umount_shuntfs device "$src/slow"
