#!/bin/bash
# The generated manual pages are sound man(7), and the completions are sound scripts that complete.
# Usage: generated_files_test.sh MAN8 MAN5 BASH ZSH
set -u
man8=$1 man5=$2 bash=$3 zsh=$4

fail() {
  echo "$*" >&2
  exit 1
}

for page in "$man8" "$man5"; do
  complaints=$(groff -ww -man -Tutf8 "$page" 2>&1 >/dev/null) || fail "$page: $complaints"
  [[ -z "$complaints" ]] || fail "$page: $complaints"
  if command -v mandoc >/dev/null; then
    mandoc -T lint -W error "$page" || fail "$page: see above"
  fi
done
text=$(groff -man -Tascii "$man8" | sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g')
[[ "$text" == *memory_budget=BYTES* ]] || fail "the manual does not show memory_budget=BYTES"

if command -v zsh >/dev/null; then zsh -n "$zsh" || fail "$zsh: syntax"; fi

# shellcheck source=/dev/null
source "$bash" || fail "$bash: syntax"
# completes WORD... : COMPREPLY for the last of the words, which is being typed.
completes() {
  COMP_WORDS=(shuntfs "$@")
  COMP_CWORD=$#
  _shuntfs
}
# has WORD, lacks WORD: what was offered.
has() { [[ " ${COMPREPLY[*]} " == *" $1 "* ]] || fail "$1 is not among: ${COMPREPLY[*]}"; }
lacks() { [[ " ${COMPREPLY[*]} " != *" $1 "* ]] || fail "$1 is among: ${COMPREPLY[*]}"; }

completes u
has umount
lacks mount
completes mount --me
has --memory-budget=
lacks --ro
completes mount --data-path =
has per-entry
completes mount --data-path = zero
has zero-copy
lacks device
completes mount -o ro,entry
has ro,entry_timeout=
completes status --
has --json
lacks --ro
completes config c
has check
lacks show
