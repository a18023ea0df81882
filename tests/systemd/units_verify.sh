#!/bin/bash
# systemd-analyze has nothing to say about the units.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
command -v systemd-analyze >/dev/null || { echo "SKIPPED: systemd-analyze is missing; it comes with the package systemd"; exit 77; }
work=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/units.XXXXXX")
trap 'rm -rf "$work"' EXIT
# It looks for the programs that units start; the tool is not installed here.
tool=$top/daemon/shuntfs
[ -x "$tool" ] || tool=$top/bazel-bin/daemon/shuntfs
sed "s:/usr/bin/shuntfs:$tool:" "$top/systemd/shuntfs@.service" >"$work/shuntfs@.service"
said=$(SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify --man=no "$work/shuntfs@name.service" 2>&1)
status=$?
said=$(grep -F shuntfs <<<"$said")
[ "$status" = 0 ] && [ -z "$said" ] || { printf 'FAILED: exit status %s\n%s\n' "$status" "$said"; exit 1; }
# The verifier must be able to complain at all.
echo 'Bogus=1' >>"$work/shuntfs@.service"
SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify --man=no "$work/shuntfs@name.service" 2>&1 | grep -q Bogus ||
  { echo "FAILED: systemd-analyze does not see a mistake"; exit 1; }
