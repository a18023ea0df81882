#!/bin/bash
# Where the log goes and what it is spared: names of strangers, repetitions, a full disk; and that a log that
# cannot be written keeps a mount from starting, but not from going on.
#
#   log.sh device
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 180 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon that logs in plain mode"
need python3
lib="$(dirname "$0")/../lib"

# A machine without journal and with no other daemon's sockets.
make_tmpfs /run
src="$WORK/src"
mnt="$WORK/mnt"
log="$WORK/log"
mkdir "$src" "$mnt"
echo content >"$src/file"

# logged PATTERN [FILE]: how many lines.
logged() { grep -cE -- "$1" "${2:-$log}"; }
says() { grep -qE -- "$1" "${2:-$log}" 2>/dev/null; }
wait_for() { wait_until 20 says "$1" "${2:-$log}" || fail "no '$1' in ${2:-$log}: $(cat "${2:-$log}")"; }
serves() { equal "$(cat "$mnt/file")" content "a file through the mount"; }
# Has the daemon log a warning: it was mounted without a file that it could read again.
provoke() { timeout 20 "$SHUNTFS" reload "$mnt" >/dev/null 2>&1; }
ends() {
  must timeout 60 "$SHUNTFS" umount "$mnt"
  end_of_daemon "$1"
}

note "stderr in the foreground; nobody forges a line"
forged=$'E20261128 20:03:33.123456 1 main.cc:1] forged'
odd="$WORK/a"$'\n'"$forged"$'\e[31m'
mkdir "$odd"
background "$SHUNTFS" mount -f --data-path="$MODE" "$odd" "$mnt" 2>"$log"
pid=$!
wait_until 30 _answers "$mnt" || fail "$mnt does not answer: $(cat "$log")"
record_mount "$mnt"
equal "$(status_field "$mnt" log.target)" stderr "the target"
wait_for "^I[0-9]{8} .*/a\\\\012$forged\\\\033\[31m is mounted at $mnt"
ends "$pid"
equal "$(logged '^E')" 0 "lines that somebody's directory wrote"
! grep -q $'\e' "$log" || fail "the log moves the cursor"

note "nobody forges an error"
for words in "mount $WORK/none /" "umount $WORK/none"; do
  read -ra words <<<"$words"
  words[1]+=$'\nshuntfs: forged\e[31m'
  said=$("$SHUNTFS" "${words[@]}" 2>&1) && fail "${words[*]} works"
  equal "$(grep -c . <<<"$said")" 1 "lines of the error: $said"
  [[ "$said" == *'none\012shuntfs: forged\033[31m'* ]] || fail "the error is: $said"
done

note "a file, which a reload opens anew"
mount_shuntfs "$MODE" "$src" "$mnt" "log_target=$WORK/file.log"
equal "$(status_field "$mnt" log.target)" "$WORK/file.log" "the target"
wait_for "$src is mounted at $mnt" "$WORK/file.log"
mv "$WORK/file.log" "$WORK/file.log.1"
must kill -HUP "$(daemon_pid "$mnt")"
wait_for "the configuration stays as it was" "$WORK/file.log"
equal "$(logged "stays as it was" "$WORK/file.log.1")" 0 "lines in the file that was moved away"

note "repetitions are held back, and none is forgotten"
before=$(logged "stays as it was" "$WORK/file.log")
for _ in {1..40}; do provoke; done
held=$(status_field "$mnt" log.held_back)
((held > 0)) || fail "40 times the same, and nothing is held back"
says "more of these within .* are held back" "$WORK/file.log" || fail "the log does not say that it holds back"
umount_shuntfs "$MODE" "$mnt"
passed=$(($(logged "stays as it was" "$WORK/file.log") - before))
told=$(awk '/more lines of lifecycle.cc:[0-9]+ were held back/ { sum += $(NF - 7) } END { print sum + 0 }' "$WORK/file.log")
equal "$told" "$held" "lines that the log says were held back"
equal "$((passed + told))" 40 "lines that passed and lines that were held back"

note "a full disk: lines are lost, requests are not"
make_tmpfs "$WORK/disk"
must mount -o remount,size=64k "$WORK/disk"
dd if=/dev/zero of="$WORK/disk/fill" bs=4k 2>/dev/null
mount_shuntfs "$MODE" "$src" "$mnt" "log_target=$WORK/disk/log"
provoke
(($(status_field "$mnt" log.lost) > 0)) || fail "nothing is lost on a full disk"
[[ ! -s "$WORK/disk/log" ]] || fail "the disk is not full: $(cat "$WORK/disk/log")"
serves
lost=$(status_field "$mnt" log.lost)
rm "$WORK/disk/fill"
provoke
wait_for "$lost lines before this one were lost" "$WORK/disk/log"
umount_shuntfs "$MODE" "$mnt"

note "a pipe that nobody reads"
mkfifo "$WORK/pipe"
exec 8<>"$WORK/pipe"
background "$SHUNTFS" mount -f --data-path="$MODE" "$src" "$mnt" 2>"$WORK/pipe" 8>&-
pid=$!
wait_until 30 _answers "$mnt" || fail "$mnt does not answer"
record_mount "$mnt"
dd if=/dev/zero of="$WORK/pipe" bs=4k oflag=nonblock 2>/dev/null
provoke
(($(status_field "$mnt" log.lost) > 0)) || fail "nothing is lost in a full pipe"
serves
ends "$pid"
exec 8>&-

note "the journal, of a daemon in the background"
mkdir -p /run/systemd/journal
background python3 "$lib/journal_socket.py" /run/systemd/journal/socket >"$WORK/heard"
journal=$!
wait_for listening "$WORK/heard"
mount_shuntfs "$MODE" "$src" "$mnt"
equal "$(status_field "$mnt" log.target)" journal "the target"
wait_for "is mounted at" "$WORK/heard"
provoke
wait_for "stays as it was" "$WORK/heard"
python3 - "$WORK/heard" "$src" "$mnt" <<'END' || fail "the journal heard something else: $(cat "$WORK/heard")"
import json, sys
heard = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
source, mountpoint = sys.argv[2:]
start = next(entry for entry in heard if entry["MESSAGE"].startswith(f"{source} is mounted at {mountpoint}"))
warning = next(entry for entry in heard if "stays as it was" in entry["MESSAGE"])
assert start["PRIORITY"] == "6" and warning["PRIORITY"] == "4", heard
assert start["CODE_FILE"] == "daemon/mount_session.cc" and int(start["CODE_LINE"]) > 0, start
assert warning["CODE_FILE"] == "daemon/lifecycle.cc", warning
for entry in heard:
    assert entry["SHUNTFS_MOUNTPOINT"] == mountpoint and entry["SYSLOG_IDENTIFIER"] == "shuntfs", entry
END
umount_shuntfs "$MODE" "$mnt"

# As a service manager that connects stderr to the journal says it.
: >"$log"
export JOURNAL_STREAM
JOURNAL_STREAM=$(stat -c %d:%i "$log")
note "the journal, where stderr leads to it"
background "$SHUNTFS" mount -f --data-path="$MODE" "$src" "$mnt" 2>>"$log"
pid=$!
wait_until 30 _answers "$mnt" || fail "$mnt does not answer: $(cat "$log")"
record_mount "$mnt"
equal "$(status_field "$mnt" log.target)" journal "the target"
equal "$(cat "$log")" "" "what stands on stderr"

note "a journal that died: lines are lost, requests are not"
must kill -KILL "$journal"
wait "$journal"
provoke
(($(status_field "$mnt" log.lost) > 0)) || fail "nothing is lost without a journal"
serves
ends "$pid"

note "stderr that leads to the journal, with priorities"
background "$SHUNTFS" mount -f --data-path="$MODE" -o log_target=stderr "$src" "$mnt" 2>>"$log"
pid=$!
wait_until 30 _answers "$mnt" || fail "$mnt does not answer: $(cat "$log")"
record_mount "$mnt"
wait_for "^<6>$src is mounted at $mnt"
ends "$pid"
unset JOURNAL_STREAM
rm -r /run/systemd

note "a log that cannot be: an error, and nothing is mounted"
# refused STATUS PATTERN TARGET [-f]
refused() {
  local said status=0
  said=$(timeout 60 "$SHUNTFS" mount ${4:-} --data-path="$MODE" -o "log_target=$3" "$src" "$mnt" 2>&1) || status=$?
  equal "$status" "$1" "exit status with log_target=$3, which said '$said'"
  [[ "$said" =~ $2 ]] || fail "log_target=$3 says '$said', should say $2"
  ! device_of_mount "$mnt" >/dev/null || fail "something is mounted with log_target=$3"
}
refused 1 "takes auto, journal, syslog, stderr or" elsewhere
refused 1 "a daemon in the background gives up; mount with -f" stderr
refused 2 "nobody listens at /run/systemd/journal/socket" journal -f
refused 32 "$WORK/missing/log cannot be used: .*make the directory" "$WORK/missing/log"
refused 32 "$WORK/pipe cannot be used: it is a pipe" "$WORK/pipe"
refused 32 "on the mount .* itself" "$mnt/log"
must mount -o remount,ro "$WORK/disk"
refused 32 "$WORK/disk/new cannot be used: Read-only file system" "$WORK/disk/new" -f
