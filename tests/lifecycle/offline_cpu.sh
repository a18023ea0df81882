#!/bin/bash
# CPUs that come and go under load: a mount serves all of them, those that were offline when it began
# too, and nobody loses a request to a CPU that goes.
#
#   offline_cpu.sh device|per-entry|buffer-pool|zero-copy [SEED]
source "$(dirname "$0")/../lib/mount.sh"
source "$(dirname "$0")/../lib/lifecycle.sh"
test_begin 280 "$@"
[[ -n "${GUEST_OUTPUT:-}" ]] || skip "takes CPUs from everybody: only in the guest (tests/guest/run)"
need taskset

readonly LEAST_CYCLES=3
seed=${2:-$(($(date +%s%N) % 1000000000))}
own_bytes=$(find_program tests/integrity/own_bytes) || exit 1
cpus=/sys/devices/system/cpu
equal "$(<"$cpus/online"), $(<"$cpus/possible")" "0-1, 0-3" "CPUs online, and possible"

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mkdir "$src/cpus"
mount_shuntfs "$MODE" "$src" "$mnt"

# set_cpu NUMBER 0|1
set_cpu() {
  { echo "$2" >"$cpus/cpu$1/online"; } || fail "CPU $1 cannot be set to $2"
  equal "$(<"$cpus/cpu$1/online")" "$2" "CPU $1 online"
}

# use_from CPU: a request from there, whose answer is seen on the other side.
use_from() {
  must timeout 60 taskset --cpu-list "$1" dd if=/dev/urandom of="$mnt/cpus/$1" bs=64k count=4 oflag=direct status=none
  equal "$(timeout 60 taskset --cpu-list "$1" dd if="$mnt/cpus/$1" bs=64k iflag=direct status=none | sha256sum)" \
    "$(sha256sum <"$src/cpus/$1")" "what CPU $1 wrote"
}

operations=$(shortened 10000 400)
cycles=0
while ((cycles < LEAST_CYCLES)); do
  background "$own_bytes" --dir="$mnt" --backing="$src" --operations="$operations" --seed="$seed" >"$WORK/clients" 2>&1
  clients=$!
  wait_until 60 grep -qx ready "$WORK/clients" || fail "the clients do not get going: $(<"$WORK/clients")"
  until _has_ended "$clients"; do
    set_cpu 1 0
    # A cycle counts when the load went on without the CPU.
    _has_ended "$clients" || cycles=$((cycles + 1))
    use_from 0
    set_cpu 1 1
    use_from 1
  done
  wait "$clients" || fail "the clients saw what they should not have: $(<"$WORK/clients")"
  seed=$((seed + 1))
done
note "CPU 1 went $cycles times under load"

# These were not there when the mount began.
for cpu in 2 3; do
  set_cpu "$cpu" 1
  use_from "$cpu"
  set_cpu "$cpu" 0
done
assert_mode_served "$MODE" "$mnt" "$operations"
assert_data_moved_as "$MODE" "$mnt"
umount_shuntfs "$MODE" "$mnt"
