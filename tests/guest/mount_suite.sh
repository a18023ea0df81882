#!/bin/bash
# Every case of the mount suite in the guest.
#
#   mount_suite.sh MODE tmpfs|disk [OPTIONS OF GoogleTest]
#
# Emulation is 20 times slower than a machine: what only repeats itself is done less often there. The cases
# that heed --shorten are the races of escape_test and DirectoryOf200000Entries.
set -u
here=$(dirname "$0")
root=$(cd "$here/../.." && pwd)
mode=${1:?usage: mount_suite.sh MODE tmpfs|disk}
backing=${2:?usage: mount_suite.sh MODE tmpfs|disk}
shift 2
readonly SHORTEN=40 TIMEOUT_S=3300

# In the runfiles or, started by hand, in the tree.
for built in "$root" "$root/bazel-bin"; do
  [ ! -x "$built/tests/mount/suite" ] || break
done
output=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/guest-output.XXXXXX")
trap 'rm -rf "$output"' EXIT
trap 'exit 143' TERM

"$here/run" --mode="$mode" --timeout="$TIMEOUT_S" --output="$output" \
  --env=SHUNTFS_BINARY="$built/daemon/shuntfs" --env=XML_OUTPUT_FILE=/run/scratch/output/test.xml \
  "$built/tests/mount/suite" --mode="$mode" --backing="$backing" --shorten="$SHORTEN" "$@"
status=$?
# The report counts GoogleTest's cases.
if [ -n "${XML_OUTPUT_FILE:-}" ] && [ -f "$output/test.xml" ]; then
  cp "$output/test.xml" "$XML_OUTPUT_FILE"
fi
exit "$status"
