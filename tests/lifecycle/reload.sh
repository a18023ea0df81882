#!/bin/bash
# A mount takes new timeouts from its file while it lives, and keeps the old ones when the file is
# wrong: seen in how often the kernel asks.
#
#   reload.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 120 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to reload in plain mode"

readonly STATS=20

umask 022
src="$WORK/src"
mnt="$WORK/mnt"
file="$WORK/mount.toml"
mkdir "$src" "$mnt"
echo content >"$src/file"

configure() { printf '%s\n' "source = \"$src\"" "mountpoint = \"$mnt\"" "data_path = \"$MODE\"" "$@" >"$file"; }

# asked: how often the kernel asks for the file's name and status in STATS rounds.
asked() {
  local before after i
  must stat "$mnt/file" >/dev/null
  before=$(($(operation_count "$mnt" LOOKUP) + $(operation_count "$mnt" GETATTR)))
  for ((i = 0; i < STATS; ++i)); do must stat "$mnt/file" >/dev/null; done
  after=$(($(operation_count "$mnt" LOOKUP) + $(operation_count "$mnt" GETATTR)))
  printf '%s\n' "$((after - before))"
}

asks_every_time() { (($(asked) >= STATS)); }
asks_no_more() { [[ $(asked) == 0 ]]; }
logged() { grep -c "$1" "$WORK/log"; }
# logs_again PATTERN BEFORE: more often than BEFORE times; the log says it after it is done.
logs_again() { (($(logged "$1") > $2)); }
# hang_up PATTERN: has SIGHUP read the file, until the log says PATTERN once more.
hang_up() {
  local before
  before=$(logged "$1")
  must kill -HUP "$pid"
  wait_until 20 logs_again "$1" "$before" || fail "SIGHUP, but no '$1': $(cat "$WORK/log")"
}

configure 'cache = "none"'
background "$SHUNTFS" mount -f --config="$file" 2>"$WORK/log"
pid=$!
wait_until 30 _answers "$mnt" || fail "$mnt does not answer: $(cat "$WORK/log")"
record_mount "$mnt"
equal "$(daemon_pid "$mnt")" "$pid" "the daemon"
asks_every_time || fail "with cache = none, the kernel asked $(asked) times in $STATS rounds"

note "reload through the control socket"
configure 'cache = "always"' 'workers = 1' 'log_level = 4'
report=$(timeout 20 "$SHUNTFS" reload "$mnt") || fail "reload: $report"
for line in "applied: entry_timeout: 0 -> 31536000" "applied: attr_timeout: 0 -> 31536000" \
  "applied: log_level: 2 -> 4" "needs a remount: workers: 0 -> 1"; do
  [[ "$report" == *"$line"* ]] || fail "'$line' is not in the report: $report"
done
# What the kernel was told before is over at once, since it was 0.
asks_no_more || fail "with cache = always, the kernel still asks"

note "a broken file changes nothing"
configure 'cache = "none"' 'attr_timout = 3' 'log_level = "high"'
report=$(timeout 20 "$SHUNTFS" reload "$mnt" 2>&1)
code=$?
equal "$code" 1 "the exit code for a broken file"
[[ "$report" == *"$file:5: attr_timout: unknown key"*"did you mean \"attr_timeout\""* &&
  "$report" == *"$file:6: log_level: is a string"* ]] || fail "the mistakes are not told: $report"
asks_no_more || fail "a broken file changed the timeouts"
hang_up "stays as it was: .*:6: log_level"
asks_no_more || fail "a broken file changed the timeouts, by SIGHUP"

note "reload by SIGHUP"
configure 'entry_timeout = 0' 'attr_timeout = 0' 'log_level = 4'
hang_up "was read again: applied: attr_timeout"
# The kernel believes what it was told for a year, so it is a new name that shows the change.
must mv "$src/file" "$src/other"
must ln "$src/other" "$src/new"
must stat "$mnt/new" >/dev/null
before=$(operation_count "$mnt" LOOKUP)
for ((i = 0; i < STATS; ++i)); do must stat "$mnt/new" >/dev/null; done
(($(operation_count "$mnt" LOOKUP) - before >= STATS)) || fail "the new timeouts do not hold"

must timeout 60 "$SHUNTFS" umount "$mnt"
end_of_daemon "$pid"
equal "$DAEMON_STATUS" 0 "the daemon's exit status"

note "without a file"
mount_shuntfs "$MODE" "$src" "$mnt"
report=$(timeout 20 "$SHUNTFS" reload "$mnt" 2>&1)
code=$?
equal "$code" 1 "the exit code without a file"
[[ "$report" == *"made without a configuration file"* ]] || fail "what is said without a file: $report"
must kill -HUP "$(daemon_pid "$mnt")"
equal "$(cat "$mnt/new")" content "a file after a SIGHUP that has nothing to read"

note "limits that the kernel shows"
umount_shuntfs "$MODE" "$mnt"
mount_shuntfs "$MODE" "$src" "$mnt" max_background=7,congestion_threshold=5,readahead=512K,pin_workers=off
connection=$(connection_of "$mnt")
equal "$(<"/sys/fs/fuse/connections/$connection/max_background")" 7 "max_background"
equal "$(<"/sys/fs/fuse/connections/$connection/congestion_threshold")" 5 "congestion_threshold"
equal "$(<"/sys/class/bdi/$(device_of_mount "$mnt")/read_ahead_kb")" 512 "the readahead window"
equal "$(cat "$mnt/new")" content "a file"
if over_ring "$MODE"; then
  # pinned: workers that may run on one CPU alone.
  pinned() {
    local task
    for task in /proc/"$(daemon_pid "$mnt")"/task/*; do
      [[ "$(<"$task/comm")" != shuntfs-q* ]] || awk '$1 == "Cpus_allowed_list:" { print $2 }' "$task/status"
    done | grep -cE '^[0-9]+$'
  }
  [[ $(nproc) == 1 ]] || equal "$(pinned)" 0 "workers on a CPU of their own, with pin_workers=off"
  umount_shuntfs "$MODE" "$mnt"
  mount_shuntfs "$MODE" "$src" "$mnt"
  equal "$(pinned)" "$(nproc)" "workers on a CPU of their own"
fi
umount_shuntfs "$MODE" "$mnt"
