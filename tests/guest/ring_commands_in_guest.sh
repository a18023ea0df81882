#!/bin/bash
# What Linux 7.3 answers to commands of FUSE over io_uring.
set -u
here=$(cd "$(dirname "$0")" && pwd)
for built in "$here" "$here/../../bazel-bin/tests/guest"; do
  [ ! -x "$built/ring_commands" ] || break
done
# One of its cases wants a CPU besides the first.
exec "$here/run" --cpus=2 --timeout=240 "$built/ring_commands" --gtest_color=no
