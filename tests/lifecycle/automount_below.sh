#!/bin/bash
# A file system that autofs mounts on demand below the source: looking at its directory mounts
# nothing, entering it through the mount does, by a name in it and by listing it.
#
#   automount_below.sh device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 60 "$@"
need python3
grep -qw autofs /proc/filesystems || skip "this kernel has no autofs"

src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt" "$src/listed" "$src/named"

# The automount daemon of each directory: mounts a tmpfs with one file when the kernel asks.
cat >"$WORK/automount.py" <<'END'
import ctypes, fcntl, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def mount(source, target, kind, data):
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, data.encode()) != 0:
        sys.exit(f"mount of {kind} on {target}: {os.strerror(ctypes.get_errno())}")

os.setpgid(0, 0)  # the kernel tells the daemon by its group
target = sys.argv[1]
reader, writer = os.pipe()
os.set_inheritable(writer, True)
mount("test", target, "autofs", f"fd={writer},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct")
os.close(writer)
root = os.open(target, os.O_RDONLY)
print("ready", flush=True)
while True:
    packet = os.read(reader, 304)  # struct autofs_v5_packet of linux/auto_fs.h
    if not packet:
        break
    version, kind, token = struct.unpack_from("iiI", packet)
    if kind != 5:  # autofs_ptype_missing_direct
        fcntl.ioctl(root, 0x9361, token)  # AUTOFS_IOC_FAIL
        continue
    mount("test", target, "tmpfs", "size=1m")
    with open(f"{target}/inside", "w") as file:
        file.write("content")
    fcntl.ioctl(root, 0x9360, token)  # AUTOFS_IOC_READY
END
for name in listed named; do
  : >"$WORK/$name.log"
  background python3 "$WORK/automount.py" "$src/$name" >"$WORK/$name.log" 2>&1
  wait_until 10 grep -q ready "$WORK/$name.log" || fail "no autofs on $name: $(cat "$WORK/$name.log")"
done

is_mounted() { grep -q " $src/$1 .* - tmpfs " /proc/self/mountinfo; }

mount_shuntfs "$MODE" "$src" "$mnt"
must timeout 10 stat "$mnt/listed" "$mnt/named" >/dev/null
! is_mounted listed || fail "stat(2) has mounted"
equal "$(timeout 10 ls "$mnt/listed")" inside "the listing"
is_mounted listed || fail "the listing has mounted nothing"
equal "$(timeout 10 cat "$mnt/named/inside")" content "the file"
is_mounted named || fail "the name has mounted nothing"
(($(operation_count "$mnt" OPENDIR) > 0)) || fail "no OPENDIR was served"
umount_shuntfs "$MODE" "$mnt"
for name in listed named; do
  must umount -l "$src/$name"
  must umount -l "$src/$name"
done
