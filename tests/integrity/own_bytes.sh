#!/bin/bash
# No request ever sees bytes of another: several clients, each with a file and a pattern of its own,
# share pools that are smaller than what they ask for at once. In a ring's mode without a pool they
# share the entries, of which there are as few.
#
#   own_bytes.sh device|per-entry|buffer-pool|zero-copy [SEED]
source "$(dirname "$0")/../lib/mount.sh"
test_begin 280 "$@"
[[ "$MODE" != plain ]] || skip "the clients' direct I/O is at odd places, which file systems of disks refuse"

seed=${2:-$(($(date +%s%N) % 1000000000))}
own_bytes=$(find_program tests/integrity/own_bytes) || exit 1

pool_ran_dry() { (($(status_field "$mnt" transport.pool_dry) > 0)); }

# share BACKING_KIND OPTIONS OPERATIONS
share() {
  local kind=$1 options=$2 operations
  operations=$(shortened "$3" 200)
  local src="$WORK/src.$kind.${options//[^a-z0-9]/}" mnt="$WORK/mnt.$kind.${options//[^a-z0-9]/}"
  note "own bytes: $kind, options '$options', seed $seed"
  make_backing "$src" "$kind"
  mount_shuntfs "$MODE" "$src" "$mnt" "$options"
  must "$own_bytes" --dir="$mnt" --backing="$src" --operations="$operations" --seed="$seed"
  assert_mode_served "$MODE" "$mnt" "$operations"
  assert_data_moved_as "$MODE" "$mnt"
  if [[ "$MODE" == buffer-pool || "$MODE" == zero-copy ]]; then
    # Where the data stays in the callers' pages, few requests take a slice: until enough of them met.
    local again
    for again in {1..10}; do
      ! pool_ran_dry || break
      must "$own_bytes" --dir="$mnt" --backing="$src" --operations="$operations" --seed="$((seed + again * 1000))"
    done
    pool_ran_dry || fail "no pool ran dry: the clients did not have to share"
  fi
  umount_shuntfs "$MODE" "$mnt"
  seed=$((seed + 1))
}

# The budgets give 2 queues 4 slices each, for 16 entries.
share ext4 "memory_budget=8M" 4000
share tmpfs "memory_budget=1M,max_write=128K" 12000
share tmpfs "memory_budget=8M,read_policy=fixed,write_policy=fixed" 3000
