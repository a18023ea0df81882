#!/bin/bash
# What a request costs on Linux 7.3 stays as low as it is: ../bench/counts/gate.py says how low.
set -u
counts=$(cd "$(dirname "$0")/../bench/counts" && pwd)
work=$(mktemp -d "${TEST_TMPDIR:-/var/tmp}/counts-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM

"$counts/run" --json="$work/costs" || exit
"$counts/gate.py" "$work/costs"
