#!/bin/bash
# After a walk over a large tree and `echo 2 > /proc/sys/vm/drop_caches` the daemon is as small as
# before: inodes, descriptors and memory come back.
#
#   memory_returns.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 180 "$@"
[[ "$MODE" != plain ]] || skip "there is no daemon to measure in plain mode"
need python3

readonly FILES=40000
src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" tmpfs
mkdir "$mnt"
must python3 - "$src" "$FILES" <<'END'
import os, sys
for i in range(int(sys.argv[2])):
    directory = f"{sys.argv[1]}/d{i // 200}"
    if i % 200 == 0:
        os.mkdir(directory)
    os.mknod(f"{directory}/f{i}", 0o100644)
END
# A fixed number of threads: one that is added under load brings a buffer that stays.
mount_shuntfs "$MODE" "$src" "$mnt" device_threads=2
pid=$(daemon_pid "$mnt")

resident_kib() { awk '$1 == "RssAnon:" { print $2 }' "/proc/$pid/status"; }
open_descriptors() { find "/proc/$pid/fd" -mindepth 1 -maxdepth 1 | wc -l; }
usage() { printf '%s descriptors, %s KiB' "$(open_descriptors)" "$(resident_kib)"; }
inodes() { status_field "$mnt" resources.inodes; }
walk() { find "$mnt" -type f -size -1 -printf x | wc -c; }

inodes_below() { (($(inodes) < $1)); }
descriptors_below() { (($(open_descriptors) < $1)); }
resident_below() { (($(resident_kib) < $1)); }
drop_until_forgotten() {
  echo 2 >/proc/sys/vm/drop_caches
  inodes_below 500
}

# One directory alone, so that what is kept on purpose (stacks, tables, buffers) is there already.
must ls -l "$mnt/d0" >/dev/null
started_kib=$(resident_kib)
started_descriptors=$(open_descriptors)
note "before: $(inodes) inodes, $started_descriptors descriptors, $started_kib KiB"

# A leak shows in the second and third round at the latest: they find the table at its size.
for round in 1 2 3; do
  equal "$(walk)" "$FILES" "files seen by the walk"
  walked_inodes=$(inodes)
  walked_kib=$(resident_kib)
  note "round $round, walked: $walked_inodes inodes, $(usage)"
  ((walked_inodes >= FILES)) ||
    fail "status shows $walked_inodes inodes after a walk over $FILES files"

  wait_until 30 drop_until_forgotten ||
    fail "$(inodes) inodes are left after the caches were dropped"
  wait_until 30 descriptors_below "$((started_descriptors + 64))" ||
    fail "$(open_descriptors) descriptors are open, $started_descriptors before the walk"
  # Half of what the first walk added must have returned, and none of what later ones add may stay.
  ((round > 1)) || allowed_kib=$((started_kib + (walked_kib - started_kib) / 2 + 4096))
  wait_until 40 resident_below "$allowed_kib" ||
    fail "memory: $started_kib KiB before, $walked_kib KiB walked, now $(resident_kib) KiB"
  note "round $round, forgotten: $(inodes) inodes, $(usage)"
done
equal "$(find "$mnt" -maxdepth 1 -name d0 | wc -l)" 1 "a directory after forgetting"
assert_mode_served "$MODE" "$mnt" 200
umount_shuntfs "$MODE" "$mnt"
