#!/bin/bash
# core/protocol/abi.h agrees with the newest kernel header that Debian serves.
# Usage: abi_header_test.sh COMPARE ABI_HEADER
set -u
home=$(getent passwd "$(id -u)" | cut -d: -f6)
cache=${SHUNTFS_CACHE:-$home/.cache/shuntfs}
reason=$(mktemp)
trap 'rm -f "$reason"' EXIT
if ! header=$("$(dirname "$0")/fetch_fuse_header.sh" "$cache" 2>"$reason"); then
  echo "SKIPPED: $(tail -n 1 "$reason")"
  exit 77
fi
python3 "$1" "$2" "$header"
