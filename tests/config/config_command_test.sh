#!/bin/bash
# `shuntfs config` as an administrator uses it: show, check, and the exit codes.
# Usage: config_command_test.sh SHUNTFS
set -u
shuntfs=$(realpath "$1")
cd "$TEST_TMPDIR" || exit 1
umask 022
mkdir -p a.toml.d

fail() {
  echo "$*" >&2
  exit 1
}
# expect TEXT PATTERN WHAT
expect() { [[ "$1" =~ $2 ]] || fail "$3: no '$2' in: $1"; }

printf 'workers = 1\nmax_write = "128K"\nmemory_budget = "8M"\nlog_level = 1\n' >a.toml
printf '\nlog_level = 3\n' >a.toml.d/1.toml
shown=$("$shuntfs" config show --config=a.toml -o stop_timeout=7 --ro --data-path=device) || fail "config show: $shown"
expect "$shown" "workers +1 +$PWD/a.toml:1" "a value of the file"
expect "$shown" "memory_budget +8M +$PWD/a.toml:3" "a value of the file"
expect "$shown" "log_level +3 +$PWD/a.toml.d/1.toml:2" "a value of a drop-in"
expect "$shown" "stop_timeout +7 +-o" "a value of -o"
expect "$shown" "ro +on +--ro" "a flag"
expect "$shown" "attr_timeout +1 +default" "a default"
expect "$shown" "congestion_threshold +48 +congestion_threshold 0, max_background 64" "a derived value"
expect "$shown" "readahead +128K +readahead 0, max_write 128K" "a derived value"

"$shuntfs" config show --config=a.toml --json >shown.json || fail "config show --json"
python3 - shown.json "$PWD/a.toml:3" <<'END' || fail "the JSON is not what was expected"
import json, os, sys
shown = json.load(open(sys.argv[1]))
assert shown["options"]["memory_budget"] == {"value": "8M", "from": sys.argv[2], "reloadable": False}, shown
assert shown["options"]["attr_timeout"]["reloadable"], shown
derived = shown["derived"]
# Where this machine has rings, they fit the budget: 8M in requests of 128K.
if "queues" in derived:
    queues, payloads = int(derived["queues"]["value"]), int(derived["payloads_per_queue"]["value"])
    assert queues == os.sysconf("SC_NPROCESSORS_CONF"), derived
    assert 4 <= payloads <= 16 and queues * payloads * (128 << 10) <= 8 << 20, derived
    assert derived["workers"]["value"] == "1", derived
    assert derived["largest_request"]["value"] == "128K", derived
END

said=$("$shuntfs" config check a.toml) || fail "a good file: $said"
printf 'workers = "1"\n\nlog_lvel = 1\n' >bad.toml
said=$("$shuntfs" config check bad.toml 2>&1)
code=$?
[[ $code == 1 ]] || fail "exit code $code for a bad file"
expect "$said" "$PWD/bad.toml:1: workers: is a string; it takes a whole number" "the first mistake"
expect "$said" "$PWD/bad.toml:3: log_lvel: unknown key .*did you mean .log_level" "the second mistake"

printf 'map_users = "root:0/nobady:5"\nhide = "a//b"\nworkers = "1"\n' >policy.toml
mkdir policy.toml.d
printf 'squash = "all"\nsquash_user = "root"\n' >policy.toml.d/1.toml
said=$("$shuntfs" config check policy.toml 2>&1)
code=$?
[[ $code == 1 ]] || fail "exit code $code for a policy that cannot be: $said"
mapfile -t lines <<<"$said"
[[ ${#lines[@]} == 4 ]] || fail "4 mistakes in: $said"
expect "${lines[0]}" "$PWD/policy.toml:1: map_users: is .nobady.: .*no such name; did you mean .nobody" "a user"
expect "${lines[1]}" "$PWD/policy.toml:2: hide: is .a//b.: it takes names or patterns" "a hidden name"
expect "${lines[2]}" "$PWD/policy.toml:3: workers: is a string" "what is wrong before the policy"
expect "${lines[3]}" "$PWD/policy.toml.d/1.toml:2: squash_user: is root" "a squashed user"
sed -i /workers/d policy.toml
said=$(timeout 10 "$shuntfs" mount --config=policy.toml "$PWD/policy.toml.d" "$PWD/missing" 2>&1)
code=$?
[[ $code == 1 ]] || fail "exit code $code of a mount with a policy that cannot be: $said"
expect "$said" "$PWD/policy.toml:1: map_users: is .nobady" "the mistake, told by mount"

mkfifo fifo
said=$(timeout 10 "$shuntfs" config check fifo 2>&1)
code=$?
[[ $code == 1 ]] || fail "exit code $code for a pipe: $said"
expect "$said" "is a pipe" "a pipe"
said=$(timeout 10 "$shuntfs" mount --config=bad.toml 2>&1)
code=$?
[[ $code == 1 ]] || fail "exit code $code of a mount with a bad file: $said"
expect "$said" "bad.toml:3: log_lvel" "the mistake, told by mount"
for words in "" "shw" "check" "check a b" "show a" "generate" "generate man1"; do
  # shellcheck disable=SC2086
  said=$("$shuntfs" config $words 2>&1)
  code=$?
  [[ $code == 1 && "$said" == shuntfs:* ]] || fail "config $words: exit code $code, $said"
done
