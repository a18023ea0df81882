#!/bin/bash
# The guest is up. Every step says what it is; the first that goes wrong ends the test.
set -u
PATH=$PATH:/usr/sbin:/sbin
step() { printf '[%s] %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
fail() {
  exec >&2
  printf 'FAILED: %s\n' "$*"
  systemctl --no-pager --full status 'shuntfs@*' 'mnt-*' | cat
  journalctl --no-pager -b -n 60 | cat
  exit 1
}
must() { timeout 120 "$@" || fail "exit status $? from: $*"; }
equal() { [[ "$1" == "$2" ]] || fail "$3: is '$1', should be '$2'"; }
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
# field MNT NAME...: of `shuntfs status --json`.
field() {
  timeout 60 shuntfs status --json "$1" |
    python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1:]: value = value[name]
print(value)' "${@:2}"
}
unit() { systemctl show --property="$2" --value "$1"; }
# is UNIT PROPERTY PATTERN
# shellcheck disable=SC2053 # a pattern it is
is() { [[ "$(unit "$1" "$2")" == $3 ]]; }
mounted() { grep -q " $1 .* - fuse.shuntfs " /proc/self/mountinfo; }
not_mounted() { ! mounted "$1"; }

# served MNT SOURCE MODE: by the counters, in this mode, and seen by the whole host.
served() {
  equal "$(cat "$1/file")" "content of ${2##*/}" "a file through $1"
  equal "$(field "$1" data_path)" "$3" "the mode of $1"
  (($(field "$1" transport ring_requests) > 0)) || fail "no request of $1 went over a ring"
  equal "$(findmnt -n -t fuse.shuntfs -o SOURCE "$1")" "$2" "the source of $1"
  grep -q " $1 .* - fuse.shuntfs " /proc/1/mountinfo || fail "the host does not see $1"
}

step "booted: fstab, an enabled unit, tmpfiles.d"
equal "$(cat /sys/module/fuse/parameters/enable_uring)" Y "enable_uring"
served /mnt/fstab /srv/fstab zero-copy
served /mnt/boot /srv/boot zero-copy
is shuntfs@boot StatusText 'data path zero-copy*' || fail "status text: $(unit shuntfs@boot StatusText)"

step "enable --now"
must systemctl --quiet enable --now shuntfs@day
served /mnt/day /srv/day zero-copy
pid=$(unit shuntfs@day MainPID)
equal "$(field /mnt/day pid)" "$pid" "the process that serves /mnt/day"
equal "$(readlink "/proc/$pid/ns/mnt")" "$(readlink /proc/1/ns/mnt)" "the daemon's mount namespace"
equal "$(awk '/^Seccomp:|^NoNewPrivs:/ { printf "%s", $2 }' "/proc/$pid/status")" 12 "no new privileges, filter"

step "the journal has the log, found by the mountpoint"
equal "$(field /mnt/day log target)" journal "the target of the log"
in_journal() { journalctl --no-pager -b -o cat "SHUNTFS_MOUNTPOINT=$1" -p "$2" | grep -q "$3"; }
wait_until 30 in_journal /mnt/day info "^/srv/day is mounted at /mnt/day" || fail "the journal does not tell of the mount"
wait_until 30 in_journal /mnt/fstab info "^/srv/fstab is mounted" || fail "the journal does not tell of fstab's mount"
! in_journal /mnt/day warning "is mounted at" || fail "a notice has the priority of a warning"

step "what users do with files passes the hardening"
must python3 - /mnt/day <<'END'
import fcntl, os, stat, sys
os.chdir(sys.argv[1])
os.umask(0)
with open("new", "w+b") as file:
    file.write(b"x" * 300000)
    os.fsync(file.fileno())
    os.posix_fallocate(file.fileno(), 0, 400000)
    fcntl.lockf(file, fcntl.LOCK_EX)
    file.seek(0)
    assert len(file.read()) == 400000
os.chown("new", 1234, 1234)
os.chmod("new", 0o6755)
assert os.stat("new").st_mode & 0o7777 == 0o6755
for name in ("user.a", "trusted.a"):
    os.setxattr("new", name, b"value")
    assert os.getxattr("new", name) == b"value"
os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
assert open("null", "rb").read() == b""
os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
os.mkfifo("fifo")
os.mkdir("directory")
os.symlink("new", "symlink")
os.link("new", "link")
os.rename("link", "directory/link")
os.copy_file_range(os.open("new", os.O_RDONLY), os.open("copy", os.O_CREAT | os.O_WRONLY), 1000)
os.truncate("copy", 10)
os.utime("copy", (1, 1))
os.statvfs(".")
# As somebody else, whose file it then is.
if os.fork() == 0:
    os.setgid(1234)
    os.setuid(1234)
    try:
        open("file", "a")
    except PermissionError:
        pass
    else:
        os._exit(2)
    os.chdir("theirs") if os.path.isdir("theirs") else None
    os._exit(0)
assert os.wait()[1] == 0
END
equal "$(stat -c %u /srv/day/new)" 1234 "the owner, seen at the source"

step "reload"
echo 'stop_timeout = 7' >>/etc/shuntfs/day.toml
must systemctl reload shuntfs@day
reloaded() { journalctl --no-pager -b -u shuntfs@day | grep -q 'read again: applied: stop_timeout'; }
wait_until 30 reloaded || fail "the journal tells of no change"
equal "$(unit shuntfs@day MainPID)" "$pid" "the process after a reload"
wait_until 30 is shuntfs@day ActiveState active || fail "not active after a reload"
served /mnt/day /srv/day zero-copy

step "an upgrade of the package leaves what is mounted with the daemon that serves it"
exec 8</mnt/day/file
must dpkg --admindir=/var/lib/guest-dpkg --force-depends --install "$SHUNTFS_NEXT_PACKAGE"
equal "$(cat <&8)" "content of day" "a file that was open during an upgrade"
exec 8<&-
equal "$(unit shuntfs@day MainPID)" "$pid" "the process after an upgrade"
equal "$(readlink "/proc/$pid/exe")" "/usr/bin/shuntfs (deleted)" "its program"
equal "$(unit shuntfs@day NeedDaemonReload)" no "whether systemd has yet to read the new unit"
served /mnt/day /srv/day zero-copy
served /mnt/fstab /srv/fstab zero-copy

step "kill -9: systemd starts it anew, and the dead mount does not stand in its way"
must kill -KILL "$pid"
restarted() { [[ "$(unit shuntfs@day MainPID)" != 0 && "$(unit shuntfs@day MainPID)" != "$pid" ]] && is shuntfs@day ActiveState active; }
wait_until 60 restarted || fail "not restarted"
served /mnt/day /srv/day zero-copy
equal "$(unit shuntfs@day NRestarts)" 1 "restarts"
equal "$(grep -c ' /mnt/day ' /proc/self/mountinfo)" 1 "mounts at /mnt/day"

step "killed again and again, it stays down, and no dead mount stays with it"
# However long a start takes here.
mkdir -p /etc/systemd/system/shuntfs@day.service.d
printf '[Unit]\nStartLimitIntervalSec=1h\n' >/etc/systemd/system/shuntfs@day.service.d/limit.conf
must systemctl daemon-reload
ended() { ! is shuntfs@day ActiveState active || ! is shuntfs@day MainPID "$1"; }
settled() { is shuntfs@day ActiveState '@(active|failed)'; }
for _ in {1..10}; do
  wait_until 60 settled || fail "neither up nor down: $(unit shuntfs@day ActiveState)"
  ! is shuntfs@day ActiveState failed || break
  pid=$(unit shuntfs@day MainPID)
  must kill -KILL "$pid"
  wait_until 60 ended "$pid" || fail "not killed"
done
wait_until 60 is shuntfs@day ActiveState failed || fail "comes up again and again: $(unit shuntfs@day ActiveState)"
not_mounted /mnt/day || fail "the dead mount stays"
equal "$(ls /mnt/day)" "" "what is in the mountpoint"
rm -r /etc/systemd/system/shuntfs@day.service.d
must systemctl daemon-reload
must systemctl reset-failed shuntfs@day
must systemctl start shuntfs@day
served /mnt/day /srv/day zero-copy

step "umount(8) ends the service, in order"
must umount /mnt/day
wait_until 60 is shuntfs@day ActiveState inactive || fail "still $(unit shuntfs@day ActiveState) after umount"
is shuntfs@day Result success || fail "result after umount: $(unit shuntfs@day Result)"

step "start, stop, disable"
must systemctl start shuntfs@day
served /mnt/day /srv/day zero-copy
pid=$(unit shuntfs@day MainPID)
must systemctl stop shuntfs@day
not_mounted /mnt/day || fail "/mnt/day is mounted after a stop"
[[ ! -e "/proc/$pid" ]] || fail "the daemon lives after a stop"
must systemctl --quiet disable shuntfs@day
equal "$(systemctl is-enabled shuntfs@day)" disabled "the unit"

step "a mistake in the file is told by the journal, and nothing is half mounted"
echo 'memory_bugdet = "1M"' >>/etc/shuntfs/day.toml
timeout 60 systemctl start shuntfs@day 2>/dev/null && fail "starts with a mistake in the file"
journalctl --no-pager -b -u shuntfs@day | grep -q memory_bugdet || fail "the journal does not name the mistake"
not_mounted /mnt/day || fail "/mnt/day is mounted after all"

step "an automount of fstab: the first access mounts"
is mnt-auto.automount ActiveState active || fail "the automount is $(unit mnt-auto.automount ActiveState)"
not_mounted /mnt/auto || fail "/mnt/auto is mounted before anybody asked"
equal "$(timeout 120 cat /mnt/auto/file)" "content of auto" "what the first access gets"
served /mnt/auto /srv/auto zero-copy
is mnt-auto.mount ActiveState active || fail "the unit of the mount is $(unit mnt-auto.mount ActiveState)"
must systemctl stop mnt-auto.mount
wait_until 60 not_mounted /mnt/auto || fail "/mnt/auto stays"
equal "$(timeout 120 cat /mnt/auto/file)" "content of auto" "what the next access gets"

step "umount and mount what fstab says"
must umount /mnt/fstab
must mount /mnt/fstab
served /mnt/fstab /srv/fstab zero-copy
must systemctl stop mnt-fstab.mount
wait_until 20 not_mounted /mnt/fstab || fail "/mnt/fstab stays"

equal "$(systemctl --no-legend --plain list-units --state=failed | grep -c 'shuntfs@boot\|mnt-')" 0 "failed units"
served /mnt/boot /srv/boot zero-copy
systemd-analyze security shuntfs@boot --no-pager | tail -n 1
step "the day is over"
