#!/bin/bash
# What a request costs on Linux 7.3 stays as low as it is: gate.py says how low.
set -u
here=$(dirname "$0")
work=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/copies-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM

"$here/run" --json="$work/costs" || exit
"$here/gate.py" "$work/costs"
