#!/bin/bash
# Runs a target under libFuzzer.
# Usage: request_fuzz_run.sh FUZZER SECONDS [SEEDS]
set -eu
corpus=$TEST_TMPDIR/corpus
mkdir -p "$corpus"
# A crashing input goes to the outputs that Bazel keeps; libFuzzer prints its bytes too.
artifacts=${TEST_UNDECLARED_OUTPUTS_DIR:-$TEST_TMPDIR}/
exec "$1" -max_total_time="$2" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$artifacts" "$corpus" "${@:3}"
