#!/bin/bash
# The status tells how long operations took, which errors there were, and which requests are in work
# now and for how long; `--watch` shows it, on a terminal and without one, and ends as it should.
#
#   status.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 100 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to ask in plain mode"
need python3

src="$WORK/src"
mnt="$WORK/mnt"
mkdir -p "$src/slow" "$WORK/slow-files" "$mnt"
echo content >"$WORK/slow-files/file"
# The inner mount is made to stop answering, which keeps a request of the outer one in work.
mount_shuntfs device "$WORK/slow-files" "$src/slow"
inner_pid=$(daemon_pid "$src/slow")
mount_shuntfs "$MODE" "$src" "$mnt" "entry_timeout=600,attr_timeout=600"
must ls -lR "$mnt" >/dev/null
for i in {1..20}; do echo "$i" >"$mnt/file$i"; done
for i in {1..7}; do [[ ! -e "$mnt/missing$i" ]] || fail "missing$i exists"; done
assert_mode_served "$MODE" "$mnt" 50

# check EXPRESSION WHAT: `d` is the status document.
check() {
  timeout 20 "$SHUNTFS" status --json "$mnt" | python3 -c '
import json, sys
d = json.load(sys.stdin)
if not eval(sys.argv[1]):
    sys.exit(json.dumps(d))' "$1" 2>"$WORK/document"
}
verify() { wait_until 10 check "$1" || fail "not so: $1; the status: $(<"$WORK/document")"; }

verify 'd["errors"]["ENOENT"] >= 7'
verify 'sum(d["errors"].values()) == sum(o["errors"] for o in d["operations"].values())'
verify 'set(d["latency"]) == set(d["operations"])'
verify 'all(0 <= l["p50_us"] <= l["p99_us"] <= l["max_us"] for l in d["latency"].values())'
verify 'all(sum(d["latency_buckets"][n].values()) == o["count"] for n, o in d["operations"].items())'
verify 'd["process"]["cpu_s"] > 0'
verify 'd["load"]["current"] == 0 and d["load"]["slowest"] == []'
if over_ring "$MODE"; then
  verify 'len(d["load"]["workers"]) == d["resources"]["workers"] > 0'
  verify 'all(w["entries"] > 0 and w["in_flight"] == 0 for w in d["load"]["workers"])'
fi
"$SHUNTFS" status "$mnt" >"$WORK/lines"
grep -Eq '^  LOOKUP: p50_us [0-9.]+ p99_us [0-9.]+ max_us [0-9.]+$' "$WORK/lines" ||
  fail "no latencies in the text: $(<"$WORK/lines")"
! grep -q latency_buckets "$WORK/lines" || fail "the text shows the buckets"

# A request that hangs is seen, with an age that grows.
must kill -STOP "$inner_pid"
trap 'kill -CONT "$inner_pid" 2>/dev/null; exit 1' INT TERM HUP
background cat "$mnt/slow/file" >"$WORK/read"
reader=$!
wait_until 20 check 'len(d["load"]["slowest"]) == 1' || fail "no request hangs: $(<"$WORK/document")"
wait_until 20 check 'd["load"]["slowest"][0]["age_us"] > 300000' ||
  fail "it does not grow old: $(<"$WORK/document")"
verify 'd["load"]["slowest"][0]["operation"] in d["operations"] or d["load"]["current"] == 1'
if over_ring "$MODE"; then verify 'sum(w["in_flight"] for w in d["load"]["workers"]) == 1'; fi
must timeout 20 "$SHUNTFS" status --watch --interval=0.1 "$mnt" </dev/null 2>&1 | head -n 40 >"$WORK/frames"
grep -q '^SLOWEST .* inode [0-9]* .* for [0-9]' "$WORK/frames" ||
  fail "the watch does not show it: $(<"$WORK/frames")"
must kill -CONT "$inner_pid"
wait "$reader" || fail "the reader was failed"
equal "$(<"$WORK/read")" content "what was read in the end"
wait_until 20 check 'd["load"]["current"] == 0' || fail "it never ends: $(<"$WORK/document")"
verify 'max(l["max_us"] for l in d["latency"].values()) > 300000'

# On a terminal: one screen over the other, and everything put back at the end.
python3 - "$SHUNTFS" "$mnt" <<'END' || fail "the watch on a terminal"
import fcntl, os, pty, select, signal, struct, sys, termios

def watch(end):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 40, 0, 0))
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for fd in range(3):
            os.dup2(slave, fd)
        os.execv(sys.argv[1], [sys.argv[1], "status", "--watch", "--interval=0.1", sys.argv[2]])
    seen = b""
    ended = False
    while True:
        ready, _, _ = select.select([master], [], [], 30)
        if not ready:
            sys.exit(f"silence after {seen!r}")
        seen += os.read(master, 65536)
        if seen.count(b"\033[H") >= 3 and not ended:
            assert termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO) == 0
            end(master, pid)
            ended = True
        if seen.endswith(b"\033[?1049l"):
            break
    assert os.waitpid(pid, 0)[1] == 0, "exit status"
    assert termios.tcgetattr(slave) == before, "the terminal's mode"
    assert seen.startswith(b"\033[?1049h\033[?25l") and b"\033[?25h" in seen
    screen = seen.split(b"\033[H")[2].split(b"\033[J")[0]
    lines = screen.decode().replace("\033[K", "").split("\r\n")
    assert len(lines) <= 6 and all(len(line) <= 40 for line in lines), lines

watch(lambda master, pid: os.write(master, b"q"))
watch(lambda master, pid: os.kill(pid, signal.SIGINT))
END

# The mount goes away under a watch.
background "$SHUNTFS" status --watch --interval=0.1 "$mnt" >"$WORK/watch" 2>&1
watch_pid=$!
wait_until 20 grep -q OPERATION "$WORK/watch" || fail "the watch shows nothing"
umount_shuntfs "$MODE" "$mnt"
wait_until 20 _has_ended "$watch_pid" || fail "the watch does not end"
wait "$watch_pid" || fail "exit status $? of the watch: $(tail -n 3 "$WORK/watch")"
equal "$(tail -n 1 "$WORK/watch")" "$mnt is no longer mounted" "the last line"
umount_shuntfs device "$src/slow"
if "$SHUNTFS" status --watch 2>"$WORK/error"; then fail "a watch of nothing"; fi
grep -q 'name the mount point' "$WORK/error" || fail "what a watch of nothing says: $(<"$WORK/error")"

# Names with escape sequences reach a terminal as text.
esc=$'\x1b'
named="$WORK/named$esc[2J"
mkdir "$named" "$WORK/source$esc[2J"
must timeout 60 "$SHUNTFS" mount --data-path="$MODE" -o "fsname=name$esc[2J" "$WORK/source$esc[2J" "$named" 9>&-
record_mount "$named"
for arguments in status "status --json"; do
  for operand in "" "$named"; do
    # The words of `arguments` are separate arguments.
    # shellcheck disable=SC2086
    must timeout 20 "$SHUNTFS" $arguments ${operand:+"$operand"} >"$WORK/lines" 2>&1
    grep -q 'source.*\[2J' "$WORK/lines" || fail "$arguments does not show the mount: $(<"$WORK/lines")"
    ! grep -q "$esc" "$WORK/lines" || fail "$arguments $operand prints an escape sequence"
  done
done
must timeout 60 "$SHUNTFS" umount "$named"
if "$SHUNTFS" umount "$named" 2>"$WORK/error"; then fail "unmounted twice"; fi
grep -q '\\033\[2J is not mounted' "$WORK/error" || fail "what a second umount says: $(<"$WORK/error")"
! grep -q "$esc" "$WORK/error" || fail "the error prints an escape sequence"
