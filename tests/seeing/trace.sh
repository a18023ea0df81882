#!/bin/bash
# A trace prints the requests of a mount as they are answered, with their names and results, chosen by
# operation; a reader that never reads holds up neither the mount nor the daemon.
#
#   trace.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 100 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to trace in plain mode"
need python3

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"
mount_shuntfs "$MODE" "$src" "$mnt" "entry_timeout=0,attr_timeout=0"

# start_trace FILE [FLAGS...]: returns when requests show.
start_trace() {
  local file=$1
  shift
  background "$SHUNTFS" trace "$@" "$mnt" >"$file" 2>"$file.err"
  TRACE_PID=$!
  wait_until 20 _shows "$file" || fail "the trace shows nothing: $(<"$file.err")"
}
_shows() {
  [[ ! -e "$mnt/probe" ]] && grep -q ' "probe" ENOENT ' "$1"
}
end_trace() {
  kill -TERM "$TRACE_PID"  # a shell's children in the background ignore SIGINT
  wait_until 20 _has_ended "$TRACE_PID" || fail "the trace does not end"
  wait "$TRACE_PID" 2>/dev/null
}

start_trace "$WORK/all"
strange=$'a\n"\e[2J\xff'
# One round of requests, all of which show, whichever threads served them: the content is read once only.
cat "$mnt/file" >/dev/null
[[ ! -e "$mnt/$strange" ]] || fail "$strange exists"
must mkdir "$mnt/new"
must rmdir "$mnt/new"
_has_lines() {
  local pattern
  for pattern in "${PATTERNS[@]}"; do
    MISSING=$pattern
    grep -q "^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\}$pattern" "$WORK/all" || return 1
  done
}
PATTERNS=(' LOOKUP inode 1 "file" OK [0-9.]* us$' ' OPEN inode [0-9]* OK ' ' READ inode [0-9]* OK ' \
  ' LOOKUP inode 1 "a\\012\\042\\033\[2J\\377" ENOENT ' ' MKDIR inode 1 "new" OK ')
wait_until 20 _has_lines || fail "no line like '$MISSING': $(<"$WORK/all")"
# One at a time.
if "$SHUNTFS" trace "$mnt" 2>"$WORK/error"; then fail "two traces"; fi
grep -q 'traced already' "$WORK/error" || fail "what a second trace says: $(<"$WORK/error")"
end_trace

# Chosen ones, in either case.
start_trace "$WORK/some" --op=lookup,MKDIR
cat "$mnt/file" >/dev/null
must mkdir "$mnt/more"
must rmdir "$mnt/more"
_mkdir_shows() {
  grep -q ' MKDIR inode 1 "more" OK ' "$WORK/some"
}
wait_until 20 _mkdir_shows || fail "no MKDIR: $(<"$WORK/some")"
equal "$(awk '{ print $2 }' "$WORK/some" | sort -u | tr '\n' ' ')" "LOOKUP MKDIR " "the operations"
end_trace
if "$SHUNTFS" trace --op=NONSENSE "$mnt" 2>"$WORK/error"; then fail "a trace of NONSENSE"; fi
grep -q 'no operation "NONSENSE"' "$WORK/error" || fail "what NONSENSE gives: $(<"$WORK/error")"

# A reader that never reads: thousands of requests go by, and the daemon answers.
control=/run/shuntfs/$(device_of_mount "$mnt" | tr : -)-$(daemon_pid "$mnt").sock
background python3 - "$control" "$WORK/ready" <<'END'
import socket, sys, time
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"trace\n")
assert client.recv(3) == b"ok\n"
open(sys.argv[2], "w").write("ready")
time.sleep(90)
END
reader=$!
wait_until 20 test -s "$WORK/ready" || fail "the reader gets no trace"
must timeout 60 python3 - "$mnt" <<'END'
import os, sys
for i in range(20000):
    assert not os.path.exists(f"{sys.argv[1]}/missing{i}")
END
must timeout 20 "$SHUNTFS" status "$mnt" >/dev/null
(($(operation_count "$mnt" LOOKUP) > 20000)) || fail "the lookups did not reach the daemon"
kill "$reader"
wait "$reader" 2>/dev/null

# The mount goes away under a trace.
start_trace "$WORK/last"
umount_shuntfs "$MODE" "$mnt"
wait_until 20 _has_ended "$TRACE_PID" || fail "the trace does not end"
wait "$TRACE_PID" || fail "exit status $? of the trace: $(<"$WORK/last.err")"
grep -q 'has ended the trace' "$WORK/last.err" || fail "what it says: $(<"$WORK/last.err")"
