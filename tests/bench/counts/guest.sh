#!/bin/bash
# Runs measure.sh in the guest, with the arguments that it takes after OUTPUT, and leaves in $GUEST_OUTPUT what that
# leaves, and `symbols`: what lies where in the kernel. Under the plugin each start of a program takes seconds, so
# there is nothing here that can be done outside.
set -eu
mkdir /run/scratch/work
"$(dirname "$0")/../modes/measure.sh" /run/scratch/work "$GUEST_OUTPUT" "$@"
cat /proc/kallsyms >"$GUEST_OUTPUT/symbols"
