#!/bin/bash
# An administrator's day, with a real systemd as the first process of a guest: what is installed and enabled before
# the boot (before_boot.sh), then what is done while the machine runs (day.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../guest/run" --systemd --before="$here/before_boot.sh" --timeout=400 bash "$here/day.sh"
