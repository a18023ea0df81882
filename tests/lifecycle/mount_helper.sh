#!/bin/bash
# mount(8), fstab and umount(8) work with shuntfs as with any file system: by both names of the type, with
# every kind of option that they hand over, for ordinary users, again after a remount; and what cannot
# be mounted gets mount's exit codes.
#
#   mount_helper.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 240 "$@"
[[ "$MODE" != plain ]] || skip "there is no mount helper in plain mode"
need python3 findmnt setpriv fuser

# A user of this name is there on every Debian; the mount is to be theirs.
readonly USER_NAME=nobody

# own_directory DIR: what is written there from now on goes to a memory of this test's own.
own_directory() {
  local layer
  layer="$WORK/layers/$(basename "$1")"
  make_tmpfs "$layer"
  must mkdir "$layer/upper" "$layer/work"
  must mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" shuntfs-test "$1"
  printf '%s\n' "$1" >>"$WORK/.mounts"
}

own_directory "$(readlink -f /sbin)"
own_directory /etc
# A copy: what the link would point to may lie where only root can go.
must cp "$SHUNTFS" /sbin/mount.shuntfs
must ln -s mount.shuntfs /sbin/mount.fuse.shuntfs

# Ordinary users reach this place, whatever TEST_TMPDIR is.
make_tmpfs "$WORK/place"
chmod 755 "$WORK"
base=/mnt
must mount --bind "$WORK/place" "$base"
printf '%s\n' "$base" >>"$WORK/.mounts"
src="$base/a source, with a comma"
mnt="$base/mnt"
mkdir "$src" "$mnt"
echo content >"$src/file"

# fstab SOURCE MOUNTPOINT TYPE OPTIONS: the only line of /etc/fstab.
fstab() { printf '%s %s %s %s 0 0\n' "${1// /\\040}" "$2" "$3" "$4" >/etc/fstab; }

# refused STATUS PATTERN COMMAND...: it exits with STATUS and says PATTERN.
refused() {
  local expected=$1 pattern=$2 status=0 said
  shift 2
  said=$(timeout 60 "$@" 2>&1) || status=$?
  equal "$status" "$expected" "exit status of $*, which said '$said'"
  [[ "$said" =~ $pattern ]] || fail "$* says '$said', should say $pattern"
}

mounted_at() { device_of_mount "$1" >/dev/null; }

# has_option MNT NAME: whether the mount table shows it.
has_option() { [[ ",$(findmnt -n -o OPTIONS "$1")," == *",$2,"* ]]; }

# ended MNT: with umount(8), the daemon ends as well.
ended() {
  local pid connection
  pid=$(daemon_pid "$1")
  connection=$(connection_identity "$1")
  must timeout 60 umount "$1"
  assert_gone "$1" "$pid" "$connection"
}

serves() {
  record_mount "$mnt"
  equal "$(cat "$mnt/file")" content "a file through the mount"
  must ls "$mnt" >/dev/null
  assert_mode_served "$MODE" "$mnt"
}

for type in shuntfs fuse.shuntfs; do
  note "mount -t $type"
  must timeout 60 mount -t "$type" "$src" "$mnt" -o "data_path=$MODE,noatime,entry_timeout=3"
  serves
  has_option "$mnt" noatime || fail "the option noatime is lost"
  equal "$(findmnt -n -o SOURCE,FSTYPE --raw "$mnt")" "${src// /\\x20} fuse.shuntfs" "what findmnt shows"
  equal "$(df --output=source "$mnt" | tail -n 1)" "$src" "the source that df shows"
  ended "$mnt"
done

note "from fstab, with what it says to others"
fstab "$src" "$mnt" shuntfs "data_path=$MODE,ro,noauto,nofail,_netdev,x-systemd.automount,X-mount.mkdir,comment=x,relatime"
must timeout 60 mount "$mnt"
serves
has_option "$mnt" ro || fail "the option ro is lost"
ended "$mnt"

note "mount -a mounts it once"
fstab "$src" "$mnt" shuntfs "data_path=$MODE"
must timeout 60 mount -a
must timeout 60 mount -a
serves
equal "$(grep -c " $mnt " /proc/self/mountinfo)" 1 "mounts at $mnt"

note "remount"
must mount -o remount,ro "$mnt"
has_option "$mnt" ro || fail "remount,ro does not show"
refused 1 "Read-only" touch "$mnt/new"
must mount -o remount,rw,noexec "$mnt"
has_option "$mnt" noexec || fail "remount,noexec does not show"
must touch "$mnt/new"
exec 8>"$mnt/new"
refused 32 "open for writing" mount -o remount,ro "$mnt"
exec 8>&-
must touch "$mnt/new"
said=$(mount -o remount,ro,memory_budget=32M "$mnt" 2>&1) || fail "remount with another option"
[[ "$said" == *"does not change"*memory_budget=32M* ]] || fail "remount is silent about what it cannot: $said"
must mount -o remount,rw "$mnt"
assert_mode_served "$MODE" "$mnt"

note "two mounts, two processes"
mkdir "$base/second"
must timeout 60 mount -t shuntfs "$src" "$base/second" -o "data_path=$MODE"
record_mount "$base/second"
[[ "$(daemon_pid "$base/second")" != "$(daemon_pid "$mnt")" ]] || fail "both are served by one process"
ended "$base/second"
equal "$(cat "$mnt/file")" content "the first mount after the second has gone"
ended "$mnt"

note "-f, -s, -v"
must mount -f -t shuntfs "$src" "$mnt"
! mounted_at "$mnt" || fail "mount -f mounts"
refused 1 "unknown option .*color" mount -t shuntfs "$src" "$mnt" -o color=red
must timeout 60 mount -s -v -t shuntfs "$src" "$mnt" -o "color=red,data_path=$MODE"
serves
ended "$mnt"

note "into another mount namespace"
mkfifo "$WORK/in" "$WORK/out"
background unshare --mount --propagation private sh -c 'echo here >"$1"; read -r _ <"$2"' sh "$WORK/out" "$WORK/in"
other=$!
read -r _ <"$WORK/out"
must timeout 60 mount -N "$other" -t shuntfs "$src" "$mnt" -o "data_path=$MODE"
! mounted_at "$mnt" || fail "mount -N mounts here as well"
equal "$(nsenter --mount --target "$other" cat "$mnt/file")" content "a file, there"
must nsenter --mount --target "$other" timeout 60 "$SHUNTFS" umount "$mnt"
echo >"$WORK/in"
wait "$other"

note "ordinary users, where fstab lets them"
# udev gives everybody access to /dev/fuse; where no udev runs, a node that does lies over it, in this namespace only.
if [[ "$(stat -c %a /dev/fuse)" != 666 ]]; then
  make_tmpfs "$WORK/dev"
  must mknod -m 666 "$WORK/dev/fuse" c 10 229
  must mount --bind "$WORK/dev/fuse" /dev/fuse
  printf '%s\n' /dev/fuse >>"$WORK/.mounts"
fi
owner=$(id -u "$USER_NAME")
mkdir "$base/theirs"
chown "$USER_NAME" "$base/theirs"
as_user=(timeout 60 setpriv --reuid="$owner" --regid="$(id -g "$USER_NAME")" --clear-groups)
fstab "$src" "$base/theirs" shuntfs "data_path=$MODE,noauto,user"
must "${as_user[@]}" mount "$base/theirs"
printf '%s\n' "$base/theirs" >>"$WORK/.mounts"
connection_identity "$base/theirs" >>"$WORK/.connections"
equal "$("${as_user[@]}" cat "$base/theirs/file")" content "a file through a user's mount"
for option in nosuid nodev noexec "user_id=$owner"; do
  has_option "$base/theirs" "$option" || fail "a user's mount lacks $option"
done
identity=$(connection_identity "$base/theirs")
must "${as_user[@]}" umount "$base/theirs"
wait_until 10 connection_is_gone "$identity" || fail "the user's connection is still there"

note "what cannot be mounted"
refused 32 "does not exist" mount -t shuntfs "$base/missing" "$mnt"
refused 1 "data_path.*is one of" mount -t shuntfs "$src" "$mnt" -o data_path=warp
refused 1 "needs a value" mount -t shuntfs "$src" "$mnt" -o max_write
refused 1 "usage: mount.shuntfs" /sbin/mount.shuntfs "$src"
refused 1 "unknown flag .-q" /sbin/mount.shuntfs -q "$src" "$mnt"
refused 32 "not a mount of shuntfs" /sbin/mount.shuntfs "$src" "$mnt" -o remount,ro
refused 32 "cannot be entered" /sbin/mount.shuntfs "$src" "$mnt" -N "$WORK/nowhere"
! mounted_at "$mnt" || fail "something is mounted after all"
