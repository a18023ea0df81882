#!/bin/bash
# The source tree keeps to the floors, and the check that says so notices when it does not.
# Usage: floors_test.sh CHECK FILE_AT_THE_TREE'S_ROOT
set -u
check=$1
# Bazel shows the test only what it depends on; behind the link lies the tree itself.
tree=$(dirname "$(readlink -f "$2")")

# offends PATH LINE: the check reports a tree that holds one file with that line, and names the file.
offends() {
  local sample
  sample=$(mktemp -d -p "$TEST_TMPDIR")
  mkdir -p "$sample/$(dirname "$1")"
  printf '%s\n' "$2" >"$sample/$1"
  if python3 "$check" "$sample" | grep "^$1" >/dev/null; then return; fi
  echo "not noticed: $1 with $2"
  exit 1
}
offends core/base/ids.h '#include "core/sys/proc_fd.h"'
offends core/protocol/request.cc '#include "core/file_system.h"'
offends core/ops.cc '#include "io/queue.h"'
offends core/ops.cc '#include <liburing.h>'
offends core/ops.cc 'std::thread worker;'
offends core/ops.cc 'if (FLAGS_verbose) return;'
offends io/queue.cc '#include "config/options.h"'
offends io/queue.cc '#include "daemon/serve.h"'
offends config/options.cc '#include "io/queue.h"'
offends daemon/main.cc '#include <gflags/gflags.h>'
offends daemon/main.cc '#include <glog/logging.h>'
offends daemon/main.cc '#include "tests/mount/fixture.h"'

exec python3 "$check" "$tree"
