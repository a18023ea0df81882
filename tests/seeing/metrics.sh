#!/bin/bash
# Metrics are served over HTTP on a loopback port or a unix socket, well formed and true; the dashboard
# asks for nothing that is not there; an address in use, or one that is not this machine's alone, leaves
# nothing half mounted; and clients that misbehave hold up nobody.
#
#   metrics.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 100 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to ask in plain mode"
need python3

here=$(cd "$(dirname "$0")" && pwd)
src="$WORK/src"
mnt="$WORK/mnt"
# A socket's path has 107 bytes, and WORK can have more.
short=$(mktemp -d /tmp/shuntfs.XXXXXX)
trap 'status=$?; rm -rf "$short"; (exit "$status"); _test_end' EXIT
socket="$short/metrics"
mkdir "$src" "$mnt"

# scrape ADDRESS [TARGET]: the body; the first line of the answer goes to $WORK/answer.
scrape() {
  timeout 20 python3 - "$1" "${2:-/metrics}" "$WORK/answer" <<'END'
import socket, sys
address, target, answer = sys.argv[1:]
if address.startswith("/"):
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
else:
    host, port = address.rsplit(":", 1)
    client = socket.create_connection((host.strip("[]"), int(port)))
client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
head, body = text.split("\r\n\r\n", 1)
open(answer, "w").write(head.split("\r\n")[0])
lengths = [line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Content-Length")]
assert lengths == [str(len(body.encode()))], head
sys.stdout.write(body)
END
}

mount_shuntfs "$MODE" "$src" "$mnt" "metrics=$socket"
for i in {1..30}; do echo "$i" >"$mnt/file$i"; done
cat "$mnt"/file* >/dev/null
[[ ! -e "$mnt/missing" ]] || fail "what was never made is there"
must scrape "$socket" >"$WORK/page"
equal "$(<"$WORK/answer")" "HTTP/1.1 200 OK" "the answer"
note "$(python3 "$here/exposition.py" "$WORK/page" "$here/../../docs/grafana-dashboard.json" 2>"$WORK/offence")"
[[ ! -s "$WORK/offence" ]] || fail "the page: $(<"$WORK/offence")"
if command -v promtool >/dev/null; then
  promtool check metrics <"$WORK/page" >"$WORK/promtool" 2>&1 || fail "promtool: $(<"$WORK/promtool")"
  note "promtool finds nothing to say"
fi
# The numbers are the status's.
for name in CREATE WRITE LOOKUP; do
  sample=$(sed -n "s/^shuntfs_operations_total{operation=\"$name\"} //p" "$WORK/page")
  equal "$sample" "$(operation_count "$mnt" "$name")" "how many $name the metrics tell"
  ((sample > 0)) || fail "no $name"
done
grep -q '^shuntfs_errors_total{errno="ENOENT"} [1-9]' "$WORK/page" || fail "no ENOENT"
scrape "$socket" /other >/dev/null
equal "$(<"$WORK/answer")" "HTTP/1.1 404 Not Found: the metrics are at /metrics" "the answer elsewhere"

# Clients that send garbage or nothing, or never read: both sockets go on answering everybody else.
control=/run/shuntfs/$(device_of_mount "$mnt" | tr : -)-$(daemon_pid "$mnt").sock
[[ -S "$control" ]] || fail "no control socket: $control"
background python3 - "$control" "$socket" "$WORK/bad" <<'END'
import os, socket, sys, time
control, metrics, ready = sys.argv[1:]
kept = []
def connect(path, data):
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.connect(path)
    try:
        client.sendall(data)
    except OSError:
        pass
    kept.append(client)
for path, ask in ((control, b"status\n"), (metrics, b"GET /metrics HTTP/1.1\r\n\r\n")):
    for data in (b"", b"\0" * 5000, os.urandom(3000), ask[:3], ask * 50, b"x" * 100000):
        connect(path, data)
open(ready, "w").write("ready")
time.sleep(60)
END
wait_until 20 test -s "$WORK/bad" || fail "the misbehaving clients do not get going"
for turn in {1..3}; do
  must timeout 20 "$SHUNTFS" status --json "$mnt" >"$WORK/status"
  must scrape "$socket" >"$WORK/page"
  must python3 "$here/exposition.py" "$WORK/page" >/dev/null
  echo "$turn" >"$mnt/turn" || fail "the mount does not serve"
done

# What is in use, or of the whole network, is refused before there is anything to undo.
mkdir "$WORK/other"
refused() {
  local status=0
  timeout 20 "$SHUNTFS" mount -o "metrics=$1" "$src" "$WORK/other" 2>"$WORK/error" || status=$?
  equal "$status" "$2" "the exit status for metrics=$1 ($(<"$WORK/error"))"
  grep -q "$3" "$WORK/error" || fail "what is said of metrics=$1: $(<"$WORK/error")"
  ! device_of_mount "$WORK/other" >/dev/null || fail "half mounted"
}
refused "$socket" 2 "$socket: Address already in use; give"
refused 0.0.0.0:9100 1 "other machines"
refused "$short/nowhere/socket" 2 "No such file or directory"
python3 - "$WORK/port" <<'END' &
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(listener.getsockname()[1]))
time.sleep(60)
END
printf '%s\n' $! >>"$WORK/.children"
holder=$!
wait_until 20 test -s "$WORK/port" || fail "no port"
port=$(<"$WORK/port")
refused "127.0.0.1:$port" 2 "127.0.0.1:$port: Address already in use; give"
kill "$holder"
wait "$holder" 2>/dev/null

# Now it is free.
mount_shuntfs "$MODE" "$src" "$WORK/other" "metrics=127.0.0.1:$port"
must scrape "127.0.0.1:$port" >"$WORK/page"
must python3 "$here/exposition.py" "$WORK/page" >/dev/null
umount_shuntfs "$MODE" "$WORK/other"
umount_shuntfs "$MODE" "$mnt"
[[ ! -e "$socket" ]] || fail "the socket is left behind"
