# shellcheck shell=bash
# Library of the script tests that work on a mount.
#
# A test starts with
#     source "$(dirname "$0")/../lib/mount.sh"
#     test_begin SECONDS "$@"
# and then has: MODE (first argument: plain, device or per-entry), SHUNTFS (the tool), WORK (its own
# directory, on the file system of TEST_TMPDIR), its own mount namespace, and a watchdog that after
# SECONDS aborts every connection of the test and ends it. "plain" binds SRC to MNT instead of
# serving it: what fails there is a mistake of the test.
#
# Exit status: 0 passed, 1 failed, 77 skipped (the reason is printed). Everything a test mounts or
# starts is gone when it ends, whatever happened; only processes that the test itself started are
# ended, by their id.

set -u -o pipefail

readonly SKIP_STATUS=77
readonly FUSE_CONNECTIONS=/sys/fs/fuse/connections

note() { printf '[%s] %s\n' "$(date +%T)" "$*"; }

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  local frame=0
  while caller "$frame" >&2; do frame=$((frame + 1)); done
  exit 1
}

skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit "$SKIP_STATUS"
}

# need PROGRAM...: skips the test when one is not installed.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || skip "needs the program $program, which is not installed"
  done
}

# must COMMAND...: the command succeeds or the test fails, naming it.
must() { "$@" || fail "exit status $? from: $*"; }

# equal ACTUAL EXPECTED WHAT
equal() { [[ "$1" == "$2" ]] || fail "$3: is '$1', should be '$2'"; }

# wait_until SECONDS COMMAND...: polls until the command succeeds; false at the deadline.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}

# shortened COUNT [LEAST]: how many rounds, MiB, ... a test takes that takes COUNT on a machine of
# ordinary speed. SHUNTFS_SHORTEN tells by how much less is to be done, but never less than LEAST.
shortened() {
  local count=$(($1 / ${SHUNTFS_SHORTEN:-1})) least=${2:-1}
  printf '%s\n' "$((count > least ? count : least))"
}

# --- Beginning and end ----------------------------------------------------------------------------

_find_tool() {
  local root candidate
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  for candidate in "${SHUNTFS_BINARY:-}" "$root/daemon/shuntfs" "$root/bazel-bin/daemon/shuntfs"; do
    if [[ -f "$candidate" && -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

# find_program RELATIVE_PATH: a program built from this tree, in the runfiles or in bazel-bin.
find_program() {
  local root candidate
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  for candidate in "$root/$1" "$root/bazel-bin/$1" "${SHUNTFS_PROGRAM_DIR:-}/${1##*/}"; do
    if [[ -f "$candidate" && -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "the program $1 is not built"
}

# Whether requests come over io_uring in mode $1.
over_ring() { [[ "$1" =~ ^(per-entry|buffer-pool|zero-copy)$ ]]; }

# test_begin SECONDS MODE [ARGUMENTS]
test_begin() {
  local limit_s=$1
  shift
  MODE=${1:?usage: $0 plain|device|per-entry}
  [[ "$MODE" =~ ^(plain|device|per-entry|buffer-pool|zero-copy|kernel)$ ]] ||
    fail "unknown mode '$MODE': plain, device, per-entry, buffer-pool, zero-copy or kernel"
  ((EUID == 0)) || skip "needs root: it makes a mount namespace"
  if [[ -z "${SHUNTFS_TEST_NAMESPACE:-}" ]]; then
    SHUNTFS_TEST_NAMESPACE=1 exec unshare --mount --propagation private "$BASH" "$0" "$@"
  fi
  unset SHUNTFS_TEST_NAMESPACE

  SHUNTFS=$(_find_tool)
  if [[ "$MODE" != plain ]]; then
    [[ -n "$SHUNTFS" ]] || fail "the tool is not built: bazel build //daemon:shuntfs"
    [[ -c /dev/fuse ]] || skip "needs /dev/fuse: modprobe fuse"
  fi
  if over_ring "$MODE"; then _enable_ring; fi
  mountpoint -q "$FUSE_CONNECTIONS" || mount -t fusectl none "$FUSE_CONNECTIONS" 2>/dev/null

  WORK=$(mktemp -d "${TEST_TMPDIR:-${TMPDIR:-/tmp}}/shuntfs.XXXXXX") ||
    fail "no directory to work in"
  : >"$WORK/.mounts"
  : >"$WORK/.connections"
  : >"$WORK/.children"
  mkfifo "$WORK/.watchdog"
  exec 9<>"$WORK/.watchdog"
  _watchdog "$limit_s" $$ &
  _WATCHDOG_PID=$!
  trap _test_end EXIT
  trap 'exit 1' INT TERM HUP
}

_enable_ring() {
  local parameter=/sys/module/fuse/parameters/enable_uring
  [[ -e "$parameter" ]] ||
    skip "this kernel has no FUSE ring ($parameter is missing): Linux 6.14 or later"
  [[ "$(<"$parameter")" == Y ]] || { echo Y >"$parameter"; } 2>/dev/null ||
    skip "the FUSE ring is off: echo Y > $parameter"
}

# Reading from a FIFO that nobody writes to is a timer without a child process to clean up.
_watchdog() {
  trap - EXIT INT TERM HUP
  local limit_s=$1 test_pid=$2
  read -r -t "$limit_s" -u 9 _
  printf 'FAILED: not finished after %s s; what waits in the kernel:\n' "$limit_s" >&2
  ps -eo pid,ppid,stat,wchan:32,args | awk 'NR == 1 || $3 ~ /^D/' >&2
  _abort_all
  kill -TERM "$test_pid" 2>/dev/null
  # A shell acts on a signal only when its command in the foreground has ended.
  local child
  for child in $(_descendants "$test_pid"); do
    [[ "$child" == "$BASHPID" ]] || kill -KILL "$child" 2>/dev/null
  done
}

_descendants() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do
    printf '%s\n' "$child"
    _descendants "$child"
  done
}

# Those recorded, and those of mounts below WORK that did not come far enough to be recorded.
_abort_all() {
  local connection
  {
    # A number whose connection has gone may be a stranger's by now.
    while read -r connection; do
      connection_is_gone "$connection" || printf '%s\n' "${connection%%:*}"
    done <"$WORK/.connections"
    awk -v work="$WORK/" 'index($5, work) == 1 && / - fuse/ { split($3, d, ":"); print d[2] }' \
      /proc/self/mountinfo
  } | while read -r connection; do
    { echo 1 >"$FUSE_CONNECTIONS/$connection/abort"; } 2>/dev/null
  done
}

# daemons_here: processes of our tool in the mount namespace of this test, zombies included.
daemons_here() {
  local mine directory name
  mine=$(readlink /proc/self/ns/mnt)
  for directory in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$directory/comm" || continue
    [[ "$name" == shuntfs* ]] || continue
    # A zombie has no namespace any more; its parent tells whether it was one of ours.
    if [[ "$(readlink "$directory/ns/mnt" 2>/dev/null)" == "$mine" ]] ||
      [[ "$(awk '$1 == "PPid:" { print $2 }' "$directory/status" 2>/dev/null)" == "$$" ]]; then
      printf '%s ' "${directory#/proc/}"
    fi
  done
}

_test_end() {
  local status=$?
  # A child that gets a signal right after the fork still has the traps of its parent.
  ((BASHPID == $$)) || exit "$status"
  trap - EXIT INT TERM HUP
  cd /
  kill "$_WATCHDOG_PID" 2>/dev/null
  local pid mount_dir
  while read -r pid; do kill -KILL "$pid" 2>/dev/null; done <"$WORK/.children"
  _abort_all
  while read -r mount_dir; do umount -l "$mount_dir" 2>/dev/null; done < <(tac "$WORK/.mounts")
  # Everything in this namespace was started by this test.
  wait_until 5 _no_daemon_here || daemons_here | xargs -r kill -KILL 2>/dev/null
  # A stressor that was cut short leaves files that may not be removed; Bazel would then start no other test.
  rm -rf --one-file-system "$WORK" 2>/dev/null || chattr -f -R -ai "$WORK"
  if ! rm -rf --one-file-system "$WORK"; then
    note "FAILED: something is left in $WORK"
    ((status != 0)) || status=1
  fi
  if ((status == 0)); then note "passed: ${0##*/} $MODE"; fi
  exit "$status"
}

# background COMMAND...: starts it; $! is its id; it is ended with the test at the latest.
background() {
  # Without a redirection of its own, the input of a command in the background would be /dev/null.
  "$@" <&0 9>&- &
  printf '%s\n' $! >>"$WORK/.children"
}

_no_daemon_here() { [[ -z "$(daemons_here)" ]]; }

# is_dead PID: no such process, not even a zombie.
is_dead() { [[ ! -e "/proc/$1" ]]; }

# --- Mounts ---------------------------------------------------------------------------------------

# make_tmpfs DIR: an empty tmpfs at DIR, unmounted with the test.
make_tmpfs() {
  mkdir -p "$1"
  must mount -t tmpfs -o mode=0755 shuntfs-test "$1"
  printf '%s\n' "$1" >>"$WORK/.mounts"
}

# make_backing DIR ext4|tmpfs: an empty backing directory of that kind. WORK itself counts as ext4
# when TEST_TMPDIR is on some other disk file system: the tests need "a disk", not ext4's details.
make_backing() {
  mkdir -p "$1"
  if [[ "$2" == tmpfs ]]; then make_tmpfs "$1"; fi
}

# device_of_mount DIR: major:minor of the topmost mount at DIR, without asking its file system.
device_of_mount() {
  awk -v dir="$1" '$5 == dir { found = $3 } END { if (found == "") exit 1; print found }' \
    /proc/self/mountinfo
}

# connection_of DIR: the number under which fusectl knows the connection.
connection_of() {
  local device
  device=$(device_of_mount "$1") || return 1
  printf '%s\n' "$(((${device%%:*} << 20) | ${device##*:}))"
}

# connection_identity DIR: the connection as NUMBER:INODE. Numbers are used again, inodes of fusectl
# are not.
connection_identity() {
  local number
  number=$(connection_of "$1") && printf '%s:%s\n' "$number" "$(_connection_inode "$number")"
}

_connection_inode() { stat -c %i "$FUSE_CONNECTIONS/$1" 2>/dev/null; }

# connection_is_gone IDENTITY
connection_is_gone() { [[ "$(_connection_inode "${1%%:*}")" != "${1##*:}" ]]; }

# mount_shuntfs MODE SRC MNT [OPTIONS]: mounts, and takes the mount down again at the end of the
# test.
mount_shuntfs() {
  local mode=$1 src=$2 mnt=$3 options=${4:-}
  mkdir -p "$mnt" 2>/dev/null
  if [[ "$mode" == plain ]]; then
    must mount --bind "$src" "$mnt"
    printf '%s\n' "$mnt" >>"$WORK/.mounts"
    return
  fi
  must timeout 60 "$SHUNTFS" mount --data-path="$mode" ${options:+-o "$options"} "$src" "$mnt" 9>&-
  record_mount "$mnt"
  equal "$(status_field "$mnt" data_path)" "$mode" "the mode that serves $mnt"
}

# record_mount MNT: has the end of the test take down a mount of ours that something else made.
record_mount() {
  printf '%s\n' "$1" >>"$WORK/.mounts"
  connection_identity "$1" >>"$WORK/.connections" ||
    fail "nothing is mounted at $1 after a successful mount"
}

# umount_shuntfs MODE MNT: unmounts and sees daemon and connection gone.
umount_shuntfs() {
  local mode=$1 mnt=$2
  if [[ "$mode" == plain ]]; then
    must umount "$mnt"
    return
  fi
  local pid connection
  pid=$(daemon_pid "$mnt")
  connection=$(connection_identity "$mnt")
  must timeout 60 "$SHUNTFS" umount "$mnt"
  assert_gone "$mnt" "$pid" "$connection"
}

# assert_gone MNT PID CONNECTION_IDENTITY: nothing of a mount is left.
assert_gone() {
  wait_until 10 is_dead "$2" || fail "the daemon $2 of $1 is still there: $(_process_state "$2")"
  ! device_of_mount "$1" >/dev/null || fail "$1 is still mounted"
  wait_until 10 connection_is_gone "$3" || fail "the connection $3 of $1 is still there"
}

_process_state() {
  grep -E '^(Name|State|Threads|PPid)' "/proc/$1/status" 2>/dev/null | tr '\n\t' '  '
}

# --- What the daemon says -------------------------------------------------------------------------

# status_field MNT NAME[.NAME...]: one value of `status --json`; fails when it is missing.
status_field() {
  timeout 20 "$SHUNTFS" status "$1" --json | python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[name]
print(value if not isinstance(value, dict) else json.dumps(value))' "$2"
}

daemon_pid() { status_field "$1" pid; }

# operation_count MNT NAME: how often an operation was asked for; 0 when it never was.
operation_count() {
  timeout 20 "$SHUNTFS" status "$1" --json | python3 -c '
import json, sys
print(json.load(sys.stdin)["operations"].get(sys.argv[1], {}).get("count", 0))' "$2"
}

# assert_mode_served MODE MNT [MINIMUM]: the counters prove that this mode answered at least MINIMUM
# requests. On the ring, the device is left with INIT, FORGET and INTERRUPT.
assert_mode_served() {
  local mode=$1 mnt=$2 minimum=${3:-1}
  [[ "$mode" == plain ]] && return
  local ring device
  ring=$(status_field "$mnt" transport.ring_requests) ||
    fail "status has no transport.ring_requests"
  device=$(status_field "$mnt" transport.device_requests) ||
    fail "status has no transport.device_requests"
  equal "$(status_field "$mnt" data_path)" "$mode" "the mode that served $mnt"
  if ! over_ring "$mode"; then
    equal "$ring" 0 "requests on the ring in $mode mode"
    ((device >= minimum)) || fail "the device served $device requests, should be at least $minimum"
  else
    ((ring >= minimum)) || fail "the ring served $ring requests, should be at least $minimum"
    local expected_on_device
    expected_on_device=$(($(operation_count "$mnt" INIT) + $(operation_count "$mnt" FORGET) +
      $(operation_count "$mnt" BATCH_FORGET) + $(operation_count "$mnt" INTERRUPT) + 64))
    ((device <= expected_on_device)) ||
      fail "the device served $device requests beside the ring, expected $expected_on_device"
  fi
  note "served by $mode: $ring ring requests, $device device requests"
}

# assert_data_moved_as MODE MNT: the counters prove which way file data went. Only for mounts without
# read_policy=plain or write_policy=plain.
assert_data_moved_as() {
  local mode=$1 mnt=$2 io
  [[ "$mode" == plain ]] && return
  io=$(status_field "$mnt" io) || fail "status has no io"
  python3 -c '
import json, sys
mode, io = sys.argv[1], json.loads(sys.argv[2])
zero_copied = io["zero_copy_read_bytes"], io["zero_copy_write_bytes"]
copied = (io["fixed_read_bytes"] + io["plain_read_bytes"],
          io["fixed_write_bytes"] + io["plain_write_bytes"])
used, unused = (zero_copied, copied) if mode == "zero-copy" else (copied, zero_copied)
sys.exit(not (min(used) > 0 and max(unused) == 0))' "$mode" "$io" ||
    fail "file data did not go the way of $mode: $io"
}
