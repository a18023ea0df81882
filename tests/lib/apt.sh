# shellcheck shell=bash
# Packages from suites of Debian that this machine does not use, through an apt configuration of a
# script's own: the system's package lists and sources stay as they are. apt verifies what it
# fetches: the index of a suite by its signature, everything else by the checksums in the index.
#
#   . "$(dirname "$0")/../lib/apt.sh"
#   mirror=$(debian_mirror) || exit 1
#   private_apt "$work" deb "$mirror" unstable experimental
#   apt-get "${PRIVATE_APT[@]}" update
#
# What is in DIR belongs to the script, which removes it.

readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_mirror: prints the mirror that the machine's apt takes Debian from, which only its
# configuration can tell. Without package lists a mirror is known by its path alone.
debian_mirror() {
  local known mirror
  known=$(apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' 2>/dev/null | sort -u)
  mirror=$(awk '$1 == "Debian" { print $2; exit }' <<<"$known")
  [ -n "$mirror" ] || mirror=$(grep -oE '[^ ]+/debian/?$' <<<"$known" | head -n 1)
  [ -n "$mirror" ] || {
    printf 'apt knows no Debian mirror; run apt-get update\n' >&2
    return 1
  }
  printf '%s\n' "$mirror"
}

# private_apt DIR deb|deb-src MIRROR SUITE...: sets PRIVATE_APT to the options that make apt work in
# DIR alone, with these suites of MIRROR.
private_apt() {
  local dir type=$2 mirror=$3 suite
  dir=$(realpath "$1")
  shift 3
  mkdir -p "$dir"/{lists/partial,cache/archives/partial,none}
  # apt drops its privileges for downloads, to a user who must reach this.
  chmod 755 "$dir"
  : >"$dir/status"
  for suite in "$@"; do
    printf '%s [signed-by=%s] %s %s main\n' "$type" "$DEBIAN_KEYRING" "$mirror" "$suite"
  done >"$dir/sources.list"
  # A mirror that lags behind will do: what is outdated is signed all the same.
  PRIVATE_APT=(
    -q
    -o "Dir::State=$dir" -o "Dir::State::lists=$dir/lists" -o "Dir::State::status=$dir/status"
    -o "Dir::Cache=$dir/cache" -o "Dir::Log=$dir"
    -o "Dir::Etc::sourcelist=$dir/sources.list" -o "Dir::Etc::sourceparts=$dir/none"
    -o Dir::Etc::preferences=/dev/null -o "Dir::Etc::preferencesparts=$dir/none"
    -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false -o Acquire::Languages=none
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20
    -o "APT::Sandbox::User=$(id -un)" -o APT::Get::List-Cleanup=false
    -o APT::Update::Post-Invoke-Success::=
  )
}
