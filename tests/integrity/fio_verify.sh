#!/bin/bash
# fio writes patterns through the mount and reads them back: buffered, direct and mapped, with 1, 4
# and 16 jobs, blocks from 512 bytes to 4 MiB and at odd offsets. fio keeps a checksum and the
# offset in every block, so lost, torn and misplaced writes are all found.
#
#   fio_verify.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 300 "$@"
need fio

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mount_shuntfs "$MODE" "$src" "$mnt"

# verify NAME FIO_OPTIONS...: one run of fio in an empty directory; its files are removed
# afterwards.
verify() {
  local name=$1
  shift
  mkdir "$mnt/$name"
  (cd "$WORK" && timeout 120 fio --name="$name" --directory="$mnt/$name" --output="$WORK/fio.out" \
    --verify=crc32c --verify_fatal=1 --verify_dump=0 --group_reporting --eta=never --fallocate=none \
    --randseed=1"$((RANDOM))" --allow_file_create=1 "$@") || {
    cat "$WORK/fio.out" >&2
    fail "fio $name: $*"
  }
  rm -r "${mnt:?}/$name"
}

for jobs in 1 4 16; do
  note "fio with $jobs jobs"
  # The total stays the same, so that more jobs do not take longer.
  size_kib=$(($(shortened 24576 "$((jobs * 1024))") / jobs))
  common=(--numjobs="$jobs" --size="${size_kib}k")
  verify "buffered-$jobs" "${common[@]}" --rw=randwrite --ioengine=psync --bs=4k --do_verify=1
  verify "direct-$jobs" "${common[@]}" --rw=randwrite --ioengine=libaio --iodepth=8 --direct=1 \
    --bs=4k
  verify "mapped-$jobs" "${common[@]}" --rw=randwrite --ioengine=mmap --bs=4k
  verify "mixed-$jobs" "${common[@]}" --rw=randrw --ioengine=psync --bsrange=512-64k \
    --bs_unaligned=1
  verify "direct-sizes-$jobs" "${common[@]}" --rw=randwrite --ioengine=libaio --iodepth=4 \
    --direct=1 --bssplit=4k/60:64k/25:256k/10:1m/5 --blockalign=4k
done

note "fio by block size"
for block in 512 1536 4k 12k 64k 100k 1m 4m; do
  verify "block-$block" --size="$(shortened 16 4)m" --rw=write --ioengine=psync --bs="$block" \
    --io_size="$(shortened 8 4)m"
done
for block in 4k 128k 1m 4m; do
  verify "direct-block-$block" --size="$(shortened 32 4)m" --rw=write --ioengine=psync --direct=1 --bs="$block"
done

note "fio at odd offsets"
verify odd-511 --size=4m --rw=write --ioengine=psync --bs=511 --bs_unaligned=1 --io_size=1m
verify odd-4099 --size=8m --rw=randwrite --ioengine=psync --bs=4099 --bs_unaligned=1 --offset=13
verify odd-70001 --size=8m --rw=randwrite --ioengine=psync --bs=70001 --bs_unaligned=1 --offset=4095
verify odd-mapped --size=8m --rw=randwrite --ioengine=mmap --bs=4099 --bs_unaligned=1

note "fio: write, cold caches, verify"
mkdir "$mnt/cold"
cold=(--name=cold --directory="$mnt/cold" --size="$(shortened 32 4)m" --rw=randwrite --bs=64k --ioengine=psync
  --verify=crc32c --randseed=7 --numjobs=2 --verify_fatal=1 --verify_dump=0
  --output="$WORK/fio.out" --end_fsync=1)
(cd "$WORK" && timeout 120 fio "${cold[@]}" --do_verify=0) ||
  fail "fio cold, writing: $(<"$WORK/fio.out")"
echo 3 >/proc/sys/vm/drop_caches
(cd "$WORK" && timeout 120 fio "${cold[@]}" --verify_only) ||
  fail "fio cold, reading: $(<"$WORK/fio.out")"
# And past the mount: what was written is in the backing files, not merely in a cache above them.
cold[1]="--directory=$src/cold"
(cd "$WORK" && timeout 120 fio "${cold[@]}" --verify_only) ||
  fail "fio cold, underneath: $(<"$WORK/fio.out")"

assert_mode_served "$MODE" "$mnt" "$(shortened 5000)"
umount_shuntfs "$MODE" "$mnt"
