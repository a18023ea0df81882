#!/bin/bash
# tests/guest/run gives back what a command says and how it ends, and notices when the kernel is not well.
set -u
run=$(cd "$(dirname "$0")" && pwd)/run
work=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/run-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  sed 's/^/  out: /' "$work/out" | tail -n 20 >&2
  sed 's/^/  err: /' "$work/err" | tail -n 80 >&2
  exit 1
}

# guest STATUS ARGUMENTS...: runs the guest, whose exit status must be STATUS. guest_path is its PATH.
guest_path=$PATH
guest() {
  local expected=$1 status=0
  shift
  env PATH="$guest_path" "$run" "$@" >"$work/out" 2>"$work/err" || status=$?
  if [ "$status" = 77 ] && [ "$expected" != 77 ]; then
    cat "$work/err" >&2
    exit 77
  fi
  [ "$status" = "$expected" ] || fail "exit status $status from: run $*"
}

says() { grep -qE -- "$1" "$work/err" || fail "does not say: $1"; }

# A failed run keeps the kernel's log, in which TEXT stands.
keeps_log_with() {
  local log
  log=$(sed -n "s/^guest: the kernel's log: //p" "$work/err" | tail -n 1)
  [ -f "$log" ] || fail "keeps no log"
  grep -qE -- "$1" "$log" || fail "the log $log lacks: $1"
}

# Only Python is left of the machine's programs.
mkdir "$work/bin"
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$work/bin/python3"
guest_path=$work/bin
guest 77 true
says '^SKIPPED: qemu-system-x86_64 is missing'
guest_path=$PATH

# One boot for all that a healthy guest can show. The output is larger than any buffer on its way.
export SHUNTFS_TEST_WORD="two words; and \$more 'of it'"
guest 7 --mode=device --env=GIVEN=yes --output="$work/files" --cpus=2 --possible-cpus=4 bash -c '
  uname -r
  printf "%s\n" "$SHUNTFS_MODE" "$GIVEN" "$SHUNTFS_TEST_WORD" "$PWD"
  cat /sys/devices/system/cpu/{online,possible} /sys/module/fuse/parameters/enable_uring
  seq 200000
  echo "this, too" >&2
  touch /written-in-the-guest && mkdir -p "$GUEST_OUTPUT/directory"
  seq 100000 >"$GUEST_OUTPUT/directory/file"
  exit 7'
{
  printf '%s\n' device yes "$SHUNTFS_TEST_WORD" "$PWD" 0-1 0-3 Y
  seq 200000
  echo "this, too"
} >"$work/expected"
tail -n +2 "$work/out" | cmp - "$work/expected" || fail "the output is not what was printed"
head -n 1 "$work/out" | grep -qE '^(7\.([3-9]|[1-9][0-9])|[89]|[1-9][0-9])' || fail "the kernel is older than 7.3"
seq 100000 | cmp - "$work/files/directory/file" || fail "a file did not come back"
[ ! -e /written-in-the-guest ] || fail "the guest wrote to this machine"

guest 124 --timeout=5 bash -c 'echo begun; sleep 1000'
grep -qx begun "$work/out" || fail "what was printed in time is lost"
says 'not through after 5 s'
keeps_log_with 'Show Blocked State'

guest 120 bash -c 'echo c >/proc/sysrq-trigger; sleep 1000'
says 'Kernel panic - not syncing'
keeps_log_with 'Kernel panic - not syncing'

# The command itself does not mind.
guest 120 bash -c 'echo "<4>WARNING: CPU: 0 PID: 1 at provoked" >/dev/kmsg'
says 'WARNING: CPU: 0 PID: 1 at provoked'
says "COMMAND's exit status: 0"
keeps_log_with 'WARNING: CPU: 0 PID: 1 at provoked'

guest 121 bash -c 'echo o >/proc/sysrq-trigger; sleep 1000'
says 'ended before COMMAND did'

# The other kernel and way to the files.
guest 3 --transport=9p bash -c 'grep -q "^nodev.*9p" /proc/filesystems && exit 3'
echo "all as expected"
