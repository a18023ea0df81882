#!/bin/bash
# A user's quota of blocks in the backing file system: who meets it is told EDQUOT as without the mount, and as much as
# fits is in the file, whichever way it is written.
#
#   quota.sh device|per-entry|buffer-pool|zero-copy
source "$(dirname "$0")/../lib/mount.sh"
test_begin 200 "$@"
need setquota setpriv

readonly USER_NAME=nobody QUOTA_KIB=4096 BLOCKS=100

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src"
must truncate -s 200M "$WORK/disk"
must mkfs.ext4 -q -O quota -E quotatype=usrquota "$WORK/disk"
modprobe quota_v2 2>/dev/null || skip "this kernel has no quotas (CONFIG_QFMT_V2)"
modprobe loop 2>/dev/null
must mount -o loop,usrquota "$WORK/disk" "$src"
printf '%s\n' "$src" >>"$WORK/.mounts"
chmod 755 "$WORK"
must setquota -u "$USER_NAME" "$QUOTA_KIB" "$QUOTA_KIB" 0 0 "$src"
must install -d -o "$USER_NAME" "$src/theirs"
mount_shuntfs "$MODE" "$src" "$mnt"

# fill DIR [WORDS OF dd...]: how many bytes got into a file before the quota did not allow more.
fill() {
  local said
  said=$(setpriv --reuid="$USER_NAME" --clear-groups dd if=/dev/zero of="$1/theirs/file" bs=64k count="$BLOCKS" "${@:2}" 2>&1) &&
    fail "there is no quota in $1 with '${*:2}': $said"
  [[ "$said" == *"Disk quota exceeded"* ]] || fail "in $1 with '${*:2}': $said"
  stat -c %s "$src/theirs/file"
  rm "$1/theirs/file"
}

# Their directory alone.
nothing_used() { quota -u -w "$USER_NAME" 2>/dev/null | awk '$1 ~ "^/dev/" { used = $2 } END { exit used + 0 > 8 }'; }

for how in "" oflag=direct conv=fsync oflag=append; do
  # shellcheck disable=SC2086 # none or one word
  natively=$(fill "$src" $how) || exit 1
  # shellcheck disable=SC2086
  equal "$(fill "$mnt" $how)" "$natively" "the bytes that fitted, with '$how'"
  # The blocks are given back when the kernel has forgotten the file.
  wait_until 20 nothing_used || fail "blocks of a removed file stay in the quota: $(quota -u -w "$USER_NAME" 2>&1)"
done
assert_mode_served "$MODE" "$mnt" "$BLOCKS"
if [[ "$MODE" == zero-copy ]]; then
  (($(status_field "$mnt" io.zero_copy_write_bytes) >= natively * 4)) || fail "not all writes were zero-copied"
fi
umount_shuntfs "$MODE" "$mnt"
