#!/bin/bash
# A mount that nobody uses costs nothing: no thread of the daemon wakes up, and none uses the
# processor.
#
#   idle.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 120 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to watch in plain mode"

readonly WATCHED_SECONDS=3

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"
mount_shuntfs "$MODE" "$src" "$mnt"
equal "$(cat "$mnt/file")" content "a file through the mount"
for i in {1..50}; do echo "$i" >"$mnt/file$i"; done
assert_mode_served "$MODE" "$mnt" 100
pid=$(daemon_pid "$mnt")

# activity: per thread, how often it was switched out and the ticks it used.
activity() {
  local task
  for task in /proc/"$pid"/task/*; do
    printf '%s %s %s %s\n' "${task##*/}" "$(<"$task/comm")" \
      "$(awk '/ctxt_switches/ { sum += $2 } END { print sum }' "$task/status")" \
      "$(sed 's/.*) //' "$task/stat" | awk '{ print $12 + $13 }')"
  done
}

is_quiet() {
  local before
  before=$(activity)
  sleep 1
  [[ "$(activity)" == "$before" ]]
}

# Descriptors that nobody uses are closed after some seconds; that of SRC itself stays.
has_closed_descriptors() { [[ "$(status_field "$mnt" resources.path_fds)" == 1 ]]; }
wait_until 30 has_closed_descriptors || fail "descriptors stay: $(status_field "$mnt" resources)"
# What the requests above started (releases, forgets, statistics) may still be under way.
wait_until 30 is_quiet || fail "the daemon never comes to rest: $(activity)"
before=$(activity)
# Here the time is what is tested: nothing may happen in it.
sleep "$WATCHED_SECONDS"
equal "$(activity)" "$before" "thread, name, context switches and ticks after $WATCHED_SECONDS s"
note "$(wc -l <<<"$before") threads, none woke up in $WATCHED_SECONDS s"
equal "$(cat "$mnt/file")" content "a file after the rest"
umount_shuntfs "$MODE" "$mnt"
