# shellcheck shell=bash
# What the tests of beginnings and ends share: daemons in the foreground, whose exit status can be
# seen; load on a mount; and a look at everything that a mount could leave behind.
#
# Source it after mount.sh.

LOAD_WORKERS=3
LOAD="$(dirname "${BASH_SOURCE[0]}")/load.py"

# start_daemon MODE SRC MNT [OPTIONS]: mounts with a daemon that is a child of this shell. Sets
# DAEMON_PID, and CONNECTION.
start_daemon() {
  local mode=$1 src=$2 mnt=$3 options=${4:-}
  background "$SHUNTFS" mount -f --data-path="$mode" ${options:+-o "$options"} "$src" "$mnt"
  DAEMON_PID=$!
  wait_until 30 _answers "$mnt" ||
    fail "$mnt does not answer; the daemon: $(_process_state $DAEMON_PID)"
  record_mount "$mnt"
  CONNECTION=$(connection_identity "$mnt")
  equal "$(daemon_pid "$mnt")" "$DAEMON_PID" "the daemon that serves $mnt"
  equal "$(status_field "$mnt" data_path)" "$mode" "the mode that serves $mnt"
}

# Not merely mounted: requests are answered.
_answers() {
  device_of_mount "$1" >/dev/null && timeout 5 stat -f "$1" >/dev/null 2>&1 &&
    timeout 20 "$SHUNTFS" status "$1" --json >/dev/null 2>&1
}

# end_of_daemon PID: waits for the child PID; sets DAEMON_STATUS to its exit status.
end_of_daemon() {
  wait_until 40 _has_ended "$1" || fail "the daemon $1 does not end: $(_process_state "$1")"
  wait "$1"
  DAEMON_STATUS=$?
}

# A child that ended is a zombie until this shell waits for it.
_has_ended() {
  local state
  state=$(awk '$1 == "State:" { print $2 }' "/proc/$1/status" 2>/dev/null)
  [[ -z "$state" || "$state" == Z ]]
}

# start_load MNT NAME: keeps MNT busy; returns when every worker has come around once. Sets
# LOAD_PID.
start_load() {
  : >"$WORK/$2.ready"
  rm -f "$WORK/$2".report.*
  background python3 "$LOAD" run "$1" "$WORK/$2.report" "$LOAD_WORKERS" >"$WORK/$2.ready"
  LOAD_PID=$!
  wait_until 60 _all_ready "$WORK/$2.ready" || fail "the load on $1 does not get going"
}

_all_ready() { [[ "$(grep -c ready "$1")" == "$LOAD_WORKERS" ]]; }

# end_of_load NAME SRC: the load noticed the end, was told nothing untrue, and lost nothing.
end_of_load() {
  wait_until 40 _has_ended "$LOAD_PID" ||
    fail "clients still wait: $(ps -o pid,stat,wchan:32,args --ppid "$LOAD_PID")"
  wait "$LOAD_PID" || fail "the load saw what it should not have: $(cat "$WORK/$1".report.*)"
  must python3 "$LOAD" check "$2" "$WORK/$1.report"
}

# assert_not_connected COMMAND...: it is told ENOTCONN. One that meets the kernel while it still
# takes the connection down may be cut off instead; none waits and none gets an answer.
assert_not_connected() {
  wait_until 5 _is_not_connected "$@" || fail "$*, after the end: $ERROR"
}

_is_not_connected() {
  ERROR=$(timeout 10 "$@" 2>&1 >/dev/null) && fail "$* works although the daemon has ended"
  [[ "$ERROR" == *"not connected"* ]] && return
  [[ "$ERROR" == *"connection abort"* || "$ERROR" == *"canceled"* ]] ||
    fail "$*, after the end: '$ERROR', should be ENOTCONN"
  return 1
}

# --- What may be left behind ----------------------------------------------------------------------

# pinned_pages: pages that the kernel holds pinned, such as registered buffers, less those of living
# processes; empty where the kernel does not count them.
pinned_pages() {
  local of_processes_kib
  of_processes_kib=$(cat /proc/[0-9]*/status 2>/dev/null | awk '$1 == "VmPin:" { sum += $2 }
    END { print sum + 0 }')
  awk -v kib="$of_processes_kib" '$1 == "nr_foll_pin_acquired" { acquired = $2; known = 1 }
    $1 == "nr_foll_pin_released" { released = $2 }
    END { if (known) print acquired - released - int(kib / 4) }' /proc/vmstat
}

locked_kib() {
  awk '$1 == "Mlocked:" || $1 == "Unevictable:" { sum += $2 } END { print sum }' /proc/meminfo
}

remember_machine() {
  PINNED_BEFORE=$(pinned_pages)
  LOCKED_BEFORE=$(locked_kib)
}

# assert_machine_as_before CYCLES: after that many mounts nothing has accumulated. Other programs of
# the machine pin and lock memory too, so what counts is growth by at least a MiB per mount.
assert_machine_as_before() {
  local cycles=$1
  equal "$(daemons_here)" "" "daemons left behind"
  ! grep -q ' fuse\.shuntfs ' /proc/self/mountinfo ||
    fail "mounts left behind: $(grep shuntfs /proc/self/mountinfo)"
  if [[ -n "$PINNED_BEFORE" ]]; then
    wait_until 20 _pinned_below "$((PINNED_BEFORE + cycles * 256))" ||
      fail "pinned pages: $PINNED_BEFORE before, $(pinned_pages) after $cycles mounts"
  fi
  wait_until 20 _locked_below "$((LOCKED_BEFORE + cycles * 1024))" ||
    fail "locked memory: $LOCKED_BEFORE KiB before, $(locked_kib) KiB after $cycles mounts"
}

_pinned_below() { (($(pinned_pages) < $1)); }
_locked_below() { (($(locked_kib) < $1)); }
