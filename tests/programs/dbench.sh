#!/bin/bash
# dbench replays the file traffic of an office server from several clients; it stops at the first
# answer that it does not expect.
#
#   dbench.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 120 "$@"
need dbench

readonly LOADFILE=/usr/share/dbench/client.txt
[[ -r "$LOADFILE" ]] || skip "dbench has no load file $LOADFILE"

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" tmpfs
mount_shuntfs "$MODE" "$src" "$mnt"

for clients in 1 8; do
  note "dbench with $clients clients"
  timeout 60 dbench -c "$LOADFILE" -D "$mnt" -t 8 "$clients" >"$WORK/dbench.out" 2>&1 ||
    fail "dbench with $clients clients: $(tail -n 30 "$WORK/dbench.out")"
  grep '^Throughput' "$WORK/dbench.out" ||
    fail "dbench did not finish: $(tail -n 30 "$WORK/dbench.out")"
  ! grep ERROR "$WORK/dbench.out" || fail "dbench met an error"
done
assert_mode_served "$MODE" "$mnt" 5000
umount_shuntfs "$MODE" "$mnt"
