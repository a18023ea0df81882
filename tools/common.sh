# Shared by the scripts in tools/; to be sourced, with the current directory anywhere in the tree.
# shellcheck shell=bash

readonly URING_SWITCH=/sys/module/fuse/parameters/enable_uring

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

die() {
  say "$*"
  exit 2
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (become root, or install sudo)"
  fi
}

# Bazel wants to know whose cache it uses; a bare chroot or a service says neither.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
: "${USER:=$(id -un)}"
export HOME USER

bazel() { command "${BAZEL:-bazel}" "$@"; }

# Y, N, or nothing when this kernel has no FUSE over io_uring (or no FUSE at all).
uring_state() { cat "$URING_SWITCH" 2>/dev/null || true; }

# The switch belongs to the fuse module, which may not be loaded yet.
load_fuse() {
  [ -e /sys/module/fuse ] || as_root modprobe fuse 2>/dev/null || true
}

set_uring() {
  as_root sh -c "echo $1 > $URING_SWITCH" 2>/dev/null
}
