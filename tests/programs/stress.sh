#!/bin/bash
# stress-ng's file system class on the mount, each stressor for a moment, with its verification on.
# What a stressor finds wrong natively as well is not held against the mount, so each one that fails
# is run again beside it.
#
#   stress.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 400 "$@"
need stress-ng

readonly SECONDS_EACH=1

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mkdir "$WORK/native"
mount_shuntfs "$MODE" "$src" "$mnt"

# Not run, with the reason. They are about other things than the directory they are given, unless
# said otherwise.
declare -A left_out=(
  [xattr]="on ext4 with ea_inode it runs into a bug of the kernel, natively as well"
  [bind-mount]="mounts over the whole machine's directories"
  [fanotify]="marks every mount of the machine"
  [verity]="needs a feature of the superblock"
  [binderfs]="mounts a file system of its own"
  [procfs]="reads /proc"
  [eventfd]="has no file"
  [ioprio]="is about scheduling"
)
class=$(stress-ng --class 'filesystem?' 2>&1)
[[ "$class" == *stressors:* ]] || fail "stress-ng does not list its file system class: $class"

# stress DIR STRESSOR: true when it finds nothing wrong.
stress() {
  timeout 60 stress-ng --"$2" 2 --timeout "$SECONDS_EACH" --verify --temp-path "$1" --oomable \
    --hdd-bytes 16M --iomix-bytes 16M --fallocate-bytes 32M --copy-file-bytes 128M \
    --sync-file-bytes 8M \
    >"$WORK/stress.out" 2>&1
}

passed=0
for stressor in ${class#*stressors:}; do
  if [[ -n "${left_out[$stressor]:-}" ]]; then
    note "not run: $stressor, which ${left_out[$stressor]}"
    continue
  fi
  if ! stress "$mnt" "$stressor"; then
    output=$(<"$WORK/stress.out")
    stress "$WORK/native" "$stressor" && fail "stress-ng --$stressor: $output"
    note "--$stressor fails natively as well"
  else
    passed=$((passed + 1))
  fi
  timeout 20 ls "$mnt" >/dev/null || fail "after --$stressor the mount does not answer"
done
note "$passed stressors passed"
((passed >= 30)) || fail "only $passed stressors passed, there and natively: $(<"$WORK/stress.out")"
equal "$(cd "$mnt" && find . | sort | head -n 9)" "$(cd "$src" && find . | sort | head -n 9)" \
  "what the stressors left behind, here and underneath"
assert_mode_served "$MODE" "$mnt" 10000
umount_shuntfs "$MODE" "$mnt"
