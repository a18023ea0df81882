#!/bin/bash
# Clients that are killed at any moment, in the middle of their requests too: nobody else notices, what
# they had asked for is finished or forgotten, and nothing of them stays open.
#
#   killed_clients.sh device|per-entry|buffer-pool|zero-copy [SEED]
source "$(dirname "$0")/../lib/mount.sh"
test_begin 560 "$@"
[[ "$MODE" != plain ]] || skip "there are no requests in plain mode"

readonly OPERATIONS_PER_KILL=25
seed=${2:-$(($(date +%s%N) % 1000000000))}
operations=$(shortened 50000 500)
own_bytes=$(find_program tests/integrity/own_bytes) || exit 1
src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" tmpfs
mount_shuntfs "$MODE" "$src" "$mnt"
connection=$(connection_of "$mnt")

nothing_open() { [[ "$(status_field "$mnt" resources.handles)" == 0 ]]; }
nothing_waits() { [[ "$(<"$FUSE_CONNECTIONS/$connection/waiting")" == 0 ]]; }

note "$operations operations, seed $seed"
"$own_bytes" --dir="$mnt" --backing="$src" --operations="$operations" --seed="$seed" \
  --kill-every="$OPERATIONS_PER_KILL" | tee "$WORK/report" || fail "a client saw what it should not have"
kills=$(sed -n 's/.* \([0-9]*\) clients killed.*/\1/p' "$WORK/report")
((kills >= operations / OPERATIONS_PER_KILL / 4)) || fail "only $kills clients were killed"

wait_until 20 nothing_waits || fail "$(<"$FUSE_CONNECTIONS/$connection/waiting") requests are left"
wait_until 20 nothing_open || fail "$(status_field "$mnt" resources.handles) files are still open"
assert_mode_served "$MODE" "$mnt" "$operations"
assert_data_moved_as "$MODE" "$mnt"
interrupts=$(operation_count "$mnt" INTERRUPT)
note "$kills clients killed, $interrupts interrupts"
((interrupts > 0)) || fail "no client was killed while it waited for an answer"
umount_shuntfs "$MODE" "$mnt"
