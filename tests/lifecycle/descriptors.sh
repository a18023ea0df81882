#!/bin/bash
# A small limit on open descriptors is the daemon's problem, never the application's: with 256 of
# them a walk over 5,000 files and 200 files open at once work, and files can still be made.
#
#   descriptors.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 180 "$@"
need python3

readonly LIMIT=256
src="$WORK/src"
mnt="$WORK/mnt"
mkdir "$src" "$mnt"
must python3 - "$src" <<'END'
import os, sys
for d in range(50):
    path = f"{sys.argv[1]}/d{d}"
    os.mkdir(path)
    for f in range(100):
        with open(f"{path}/f{f}", "w") as file:
            file.write(f"{d}/{f}")
END

# The limit holds for the daemon alone.
mount_limited() (
  must ulimit -n "$LIMIT"
  mount_shuntfs "$MODE" "$src" "$mnt"
)
must mount_limited
if [[ "$MODE" != plain ]]; then
  pid=$(daemon_pid "$mnt")
  hard_limit=$(awk '/^Max open files/ { print $5 }' "/proc/$pid/limits")
  equal "$hard_limit" "$LIMIT" "the daemon's hard limit"
  equal "$(status_field "$mnt" resources.fd_limit)" "$LIMIT" "fd_limit in the status"
fi

assert_within_limit() {
  [[ "$MODE" != plain ]] || return
  local used
  used=$(find "/proc/$pid/fd" -mindepth 1 -maxdepth 1 | wc -l)
  ((used <= LIMIT)) || fail "the daemon has $used descriptors open with a limit of $LIMIT"
  note "$1: the daemon has $used descriptors open, $(status_field "$mnt" resources)"
}

note "walk over 5,000 files"
must timeout 100 python3 - "$mnt" <<'END'
import os, sys
top = sys.argv[1]
count = 0
for path, directories, names in os.walk(top, onerror=lambda error: sys.exit(str(error))):
    for name in names:
        os.lstat(f"{path}/{name}")
        count += 1
if count != 5000:
    sys.exit(f"saw {count} files, should be 5000")
for d in range(50):
    for f in range(100):
        with open(f"{top}/d{d}/f{f}") as file:
            if file.read() != f"{d}/{f}":
                sys.exit(f"d{d}/f{f} is not what it should be")
END
assert_within_limit "after the walk"

note "200 files open at once, and everything else meanwhile"
must timeout 100 python3 - "$mnt" <<'END'
import os, sys
top = sys.argv[1]
files = [open(f"{top}/d{i % 50}/f{i // 50}", "r+") for i in range(200)]
for i, file in enumerate(files):
    if file.read() != f"{i % 50}/{i // 50}":
        sys.exit(f"file {i} is not what it should be")
for i in range(300):
    path = f"{top}/d{i % 50}/new{i}"
    with open(path, "w") as file:
        file.write("new")
    os.rename(path, path + ".renamed")
    os.chmod(path + ".renamed", 0o600)
    os.setxattr(path + ".renamed", "user.test", b"value")
    os.mkdir(path)
    os.symlink("target", path + "/link")
    if os.readlink(path + "/link") != "target":
        sys.exit("readlink")
    if os.listdir(path) != ["link"]:
        sys.exit("listdir")
for i, file in enumerate(files):
    file.seek(0)
    file.write(f"again {i}")
    file.flush()
    os.fsync(file.fileno())
for d in range(50):
    if len(os.listdir(f"{top}/d{d}")) != 112:
        sys.exit(f"d{d} has {len(os.listdir(f'{top}/d{d}'))} names, should be 112")
for i, file in enumerate(files):
    file.seek(0)
    if not file.read().startswith(f"again {i}"):
        sys.exit(f"file {i} lost what was written")
END
assert_within_limit "after 200 open files"
assert_mode_served "$MODE" "$mnt" 10000
umount_shuntfs "$MODE" "$mnt"
