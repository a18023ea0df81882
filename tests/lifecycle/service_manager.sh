#!/bin/bash
# What a service manager hears: READY=1 once the mount answers and not before, the mode and the load, WATCHDOG=1
# for as long as every thread comes around - and not a moment longer, whichever thread it is -, STOPPING=1.
#
#   service_manager.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 180 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon in plain mode"
need python3
lib="$(dirname "$0")/../lib"

src="$WORK/src"
mnt="$WORK/mnt"
mkdir -p "$src/slow" "$WORK/slow-files" "$mnt"
echo content >"$src/file"
for i in {1..2}; do echo slow >"$WORK/slow-files/file$i"; done

# A path below WORK may be too long for a socket.
ear="shuntfs-test-$$"
background python3 "$lib/notify_socket.py" "$ear" >"$WORK/heard"
wait_until 10 grep -q listening "$WORK/heard" || fail "nobody listens at $ear"

# told PATTERN: how often a line was heard.
told() { grep -cE -- "$1" "$WORK/heard"; }
# told_again PATTERN BEFORE: more often than BEFORE times.
told_again() { (($(told "$1") > $2)); }
hears() { wait_until 20 told_again "$1" "${2:-0}" || fail "not told $1: $(tail -n 5 "$WORK/heard")"; }

# hears_nothing_of WHO: the watchdog is not fed from the complaint about WHO on, for as long as the beats
# that say so themselves come.
hears_nothing_of() {
  local complaints fed
  hears "^STATUS=.*no sign of life from .*$1" "$(told 'no sign of life')"
  complaints=$(told 'no sign of life') fed=$(told '^WATCHDOG=1$')
  hears 'no sign of life' "$((complaints + 3))"
  equal "$(told '^WATCHDOG=1$')" "$fed" "watchdog messages while $1 is silent"
}

export NOTIFY_SOCKET="@$ear" WATCHDOG_USEC=800000
start_daemon "$MODE" "$src" "$mnt" device_threads=2
unset NOTIFY_SOCKET WATCHDOG_USEC
hears '^READY=1$'
equal "$(grep -nE '^(READY|WATCHDOG|STOPPING)=' "$WORK/heard" | head -n 1 | cut -d: -f2)" READY=1 "the first word"
hears '^WATCHDOG=1$' 2
must ls "$mnt" >/dev/null
hears "^STATUS=data path $MODE; [0-9]+ requests so far, [0-9.]+ per second$" 1
assert_mode_served "$MODE" "$mnt"

note "a reload is told from its beginning to its end, though there is no file to read"
kill -HUP "$DAEMON_PID"
hears '^RELOADING=1$'
hears '^MONOTONIC_USEC=[0-9]+$'
hears '^READY=1$' 1

mkfifo "$WORK/thaw"
exec 7<>"$WORK/thaw"
freeze() {
  : >"$WORK/frozen"
  background python3 "$lib/freeze.py" "$@" <&7 >"$WORK/frozen"
  FREEZER=$!
  wait_until 10 grep -q frozen "$WORK/frozen" || fail "the threads $* cannot be frozen"
}
thaw() {
  echo >&7
  wait "$FREEZER" || fail "the freezer failed"
}
threads_called() { grep -lE "^$1\$" "/proc/$DAEMON_PID/task"/*/comm | awk -F/ '{ print $5 }'; }

names=(shuntfs-slow)
if over_ring "$MODE"; then mapfile -t -O 1 names < <(cat "/proc/$DAEMON_PID/task"/*/comm | grep shuntfs-q | sort -u); fi
for name in "${names[@]}"; do
  note "$name is frozen"
  mapfile -t tids < <(threads_called "$name")
  ((${#tids[@]} > 0)) || fail "there is no thread called $name"
  freeze "${tids[@]}"
  hears_nothing_of "${name/shuntfs-slow/the slow pool}"
  thaw
  hears '^WATCHDOG=1$' "$(told '^WATCHDOG=1$')"
done

if [[ "$MODE" == device ]]; then
  note "requests wait for a backing file system, and the threads that read the device do not"
  mount_shuntfs device "$WORK/slow-files" "$src/slow"
  inner_pid=$(daemon_pid "$src/slow")
  must ls -l "$mnt/slow" >/dev/null
  must kill -STOP "$inner_pid"
  for i in {1..2}; do background cat "$mnt/slow/file$i" >"$WORK/read$i"; done
  complaints=$(told 'no sign of life')
  hears '^WATCHDOG=1$' "$(($(told '^WATCHDOG=1$') + 3))"
  equal "$(told 'no sign of life')" "$complaints" "complaints while a backing file system does not answer"
  equal "$(timeout 20 cat "$mnt/file")" content "a file of another file system"
  must kill -CONT "$inner_pid"
  hears '^WATCHDOG=1$' "$(told '^WATCHDOG=1$')"
  served() { [[ "$(cat "$WORK"/read?)" == $'slow\nslow' ]]; }
  wait_until 20 served || fail "a read that had to wait failed"
fi

equal "$(told '^STOPPING=1$')" 0 "words about stopping, before"
must kill -TERM "$DAEMON_PID"
end_of_daemon "$DAEMON_PID"
equal "$DAEMON_STATUS" 0 "exit status"
hears '^STOPPING=1$'
equal "$(told '^READY=1$')" 2 "words about readiness: of the start and of the reload"

[[ "$MODE" != device ]] || umount_shuntfs device "$src/slow"

note "a mount that cannot be made is never ready"
heard=$(wc -l <"$WORK/heard")
NOTIFY_SOCKET="@$ear" timeout 60 "$SHUNTFS" mount -f "$WORK/missing" "$mnt" 2>/dev/null &&
  fail "a missing source is mounted"
equal "$(wc -l <"$WORK/heard")" "$heard" "lines heard"
