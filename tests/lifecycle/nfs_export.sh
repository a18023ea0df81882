#!/bin/bash
# The mount exported by the kernel's NFS server, which names files by handle: a client reads the right files after the
# server's kernel has dropped its caches and after SRC has moved them; after a restart of the daemon its handles are
# stale or right, and never another file's.
#
#   nfs_export.sh device|per-entry|buffer-pool|zero-copy
#
# For the guest: it starts the NFS server of the machine that it runs on.
source "$(dirname "$0")/../lib/mount.sh"
test_begin 250 "$@"
need python3
need exportfs
need rpc.mountd
need mount.nfs4
modprobe -a nfsd nfsv4 2>/dev/null
grep -qw nfsd /proc/filesystems || skip "this kernel has no NFS server"

src="$WORK/src"
mnt="$WORK/mnt"
nfs="$WORK/nfs"
mkdir "$src" "$mnt" "$nfs" "$src/d"
for ((i = 0; i < 200; i++)); do
  echo "content of $i" >"$src/d/$i"
done

# What the server's programs write goes to memory; the client's network is the loopback.
must ip link set lo up
must mount -t tmpfs tmpfs /var/lib/nfs
mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
must mount -t nfsd nfsd /proc/fs/nfsd
must rpc.mountd --no-nfs-version 3
# Opens wait for the end of the grace period, which is 90 s otherwise.
start_server() { must rpc.nfsd --no-nfs-version 3 --grace-time 10 --lease-time 10 2; }
start_server
export_mount() { must exportfs -o rw,no_root_squash,no_subtree_check,fsid=0 "127.0.0.1:$mnt"; }

read_all() {
  must timeout 60 python3 - "$nfs/d" "$1" <<'END'
import errno, os, sys
wrong = stale = 0
for i in range(200):
    try:
        with open(f"{sys.argv[1]}/{i}") as file:
            wrong += file.read() != f"content of {i}\n"
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        stale += 1
print(f"{sys.argv[2]}: {wrong} wrong, {stale} stale")
sys.exit(wrong + stale != 0)
END
}

mount_shuntfs "$MODE" "$src" "$mnt"
export_mount
must timeout 60 mount -t nfs4 -o vers=4.2,soft,timeo=100,actimeo=0 127.0.0.1:/ "$nfs"
read_all "at first"

# A program of the client holds a file and its working directory.
coproc holder {
  cd "$nfs/d" || exit 1
  exec 9<./7
  while read -r _; do
    python3 - <<'END'
import os
try:
    print(os.pread(9, 100, 0).decode().strip(), "|", open("11").read().strip())
except OSError as error:
    print(error.strerror)
END
  done
}
held() {
  local line
  echo >&"${holder[1]}"
  read -r -t 60 line <&"${holder[0]}" || fail "the client's program does not answer"
  echo "$line"
}
readonly RIGHT="content of 7 | content of 11"
equal "$(held)" "$RIGHT" "what the program reads"

note "the server's kernel forgets"
echo 2 >/proc/sys/vm/drop_caches
read_all "after the caches were dropped"
equal "$(held)" "$RIGHT" "what the program reads"

note "SRC moves the directory, and the server's kernel forgets"
must mv "$src/d" "$src/moved"
echo 2 >/proc/sys/vm/drop_caches
equal "$(held)" "$RIGHT" "what the program reads"
must mv "$src/moved" "$src/d"
lookups=$(operation_count "$mnt" LOOKUP)
((lookups > 200)) || fail "only $lookups LOOKUPs were served"

note "the daemon is restarted, and other files are looked up first"
# The server keeps what its clients have open, and with it the mount, until it ends.
must rpc.nfsd 0
must exportfs -ua
umount_shuntfs "$MODE" "$mnt"
mount_shuntfs "$MODE" "$src" "$mnt"
for ((i = 199; i >= 0; i--)); do
  cat "$mnt/d/$i"
done >/dev/null
export_mount
start_server
after=$(held)
[[ "$after" == "$RIGHT" || "$after" == "Stale file handle" ]] || fail "the program reads '$after'"
note "after the restart the program reads: $after"

eval "exec ${holder[1]}>&-"
# shellcheck disable=SC2154 # coproc sets it
wait "$holder_PID" || true
must timeout 60 umount -l "$nfs"
must exportfs -ua
must rpc.nfsd 0
umount_shuntfs "$MODE" "$mnt"
must umount /proc/fs/nfsd
must umount -l /var/lib/nfs
