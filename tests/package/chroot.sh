# shellcheck shell=bash
# What the package tests share: fresh Debian systems in directories, and the life of a package in one.
# Comes after ../lib/mount.sh and test_begin.
source "$(dirname "$0")/../lib/apt.sh"
PATH=$PATH:/usr/sbin:/sbin

# make_chroot DIR CODENAME: a fresh minimal Debian from the mirror that this machine's apt uses.
make_chroot() {
  local mirror log=$WORK/debootstrap.log
  mirror=$(debian_mirror) || skip "apt knows no Debian mirror"
  note "a fresh $2 in ${1##*/}"
  if ! timeout 1200 debootstrap --variant=minbase "$2" "$1" "$mirror" >"$log" 2>&1; then
    ! grep -E "getting release file|Couldn't download|Invalid Release" "$log" || skip "the mirror has no $2, or cannot be reached"
    tail -n 20 "$log" >&2
    fail "debootstrap of $2"
  fi
  # No daemon starts in there; what the mirror lags behind is signed all the same.
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
  printf 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\nAcquire::Retries "3";\n' \
    >"$1/etc/apt/apt.conf.d/90test"
}

# enter DIR: gives it this machine's kernel - /proc, /sys, /dev/fuse - and makes it the one that `inside` means.
enter() {
  CHROOT=$1
  : >"$CHROOT/dev/fuse"
  must mount -t proc shuntfs-test "$CHROOT/proc"
  printf '%s\n' "$CHROOT/proc" >>"$WORK/.mounts"
  must mount --bind /sys "$CHROOT/sys"
  printf '%s\n' "$CHROOT/sys" >>"$WORK/.mounts"
  must mount --bind /dev/fuse "$CHROOT/dev/fuse"
  printf '%s\n' "$CHROOT/dev/fuse" >>"$WORK/.mounts"
  inside apt-get -q update >"$WORK/apt.log" 2>&1 || fail "apt-get update: $(tail -n 3 "$WORK/apt.log")"
}

# inside COMMAND...: as root of the chroot, with nothing of this machine's environment but a proxy.
inside() {
  timeout 1500 chroot "$CHROOT" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} "$@" 9>&-
}

# quietly COMMAND...: inside; its output is shown when it fails, and is in $SAID.
quietly() {
  local status=0
  SAID=$(inside "$@" 2>&1) || status=$?
  ((status == 0)) || fail "exit status $status from: $*"$'\n'"$SAID"
}

# snapshot: every path with kind, mode, owner and target, but for what package tools keep for themselves.
snapshot() {
  (cd "$CHROOT" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
    -o -path ./packages \) -prune -o -printf '%p %y %m %U:%G %l\n' | LC_ALL=C sort)
}

state_of_package() { inside dpkg-query -W -f '${db:Status-Status} ${Version}' shuntfs 2>/dev/null; }
version_of() { dpkg-deb --field "$1" Version; }

# served NAME: /mnt/NAME shows /srv/NAME in both directions, by requests that a daemon counted.
served() {
  local written=$RANDOM
  equal "$(inside cat "/mnt/$1/file")" "content of $1" "a file through /mnt/$1"
  inside sh -c "echo $written >/mnt/$1/written" || fail "cannot write to /mnt/$1"
  equal "$(<"$CHROOT/srv/$1/written")" "$written" "what was written through /mnt/$1"
  equal "$(inside findmnt -n -o SOURCE,FSTYPE --raw "/mnt/$1")" "/srv/$1 fuse.shuntfs" "what findmnt shows"
}

# daemon_of NAME: the process that serves /mnt/NAME; it has counted requests.
daemon_of() {
  inside shuntfs status --json "/mnt/$1" | python3 -c '
import json, sys
status = json.load(sys.stdin)
assert sum(status["transport"][kind] for kind in ("ring_requests", "device_requests")) > 0, status["transport"]
print(status["pid"])'
}

mounted() { device_of_mount "$CHROOT/mnt/$1" >/dev/null; }

# ended NAME PID: with umount(8), which needs nothing of the package.
ended() {
  quietly umount "/mnt/$1"
  wait_until 20 is_dead "$2" || fail "the daemon of /mnt/$1 is still there"
  ! mounted "$1" || fail "/mnt/$1 is still mounted"
}

# life_of_package OLD NEW: two packages, one with a higher version, in the chroot that was entered: installed, mounted
# from fstab and from a file, upgraded and removed under what is mounted, purged.
life_of_package() {
  local old=$1 new=$2 before pid second
  mkdir "$CHROOT/packages"
  cp "$old" "$CHROOT/packages/old.deb"
  cp "$new" "$CHROOT/packages/new.deb"
  # systemd seems to run, and notes what it is told.
  mkdir -p "$CHROOT/run/systemd/system" "$CHROOT/etc/systemd/system/multi-user.target.wants"
  printf '#!/bin/sh\necho "$*" >>/var/log/systemctl\n' >"$CHROOT/usr/bin/systemctl"
  chmod 755 "$CHROOT/usr/bin/systemctl"

  note "installed with nothing but what it depends on, and purged"
  quietly apt-get -q -y install --no-install-recommends /packages/old.deb
  equal "$(state_of_package)" "installed $(version_of "$old")" "the package"
  [[ "$(inside shuntfs version)" == "shuntfs $(version_of "$old" | grep -o '^[0-9.]*')" ]] ||
    fail "$(inside shuntfs version) is in version $(version_of "$old")"
  local path
  for path in /usr/sbin/mount.shuntfs /usr/sbin/mount.fuse.shuntfs /usr/lib/systemd/system/shuntfs@.service \
    /usr/lib/modprobe.d/shuntfs.conf /usr/lib/tmpfiles.d/shuntfs.conf /usr/share/man/man8/shuntfs.8.gz \
    /usr/share/man/man8/mount.shuntfs.8.gz /usr/share/man/man5/shuntfs.toml.5.gz \
    /usr/share/bash-completion/completions/shuntfs /usr/share/zsh/vendor-completions/_shuntfs \
    /usr/share/doc/shuntfs/examples/shuntfs.toml /usr/share/doc/shuntfs/copyright \
    /usr/share/doc/shuntfs/changelog.Debian.gz /etc/shuntfs; do
    inside test -s "$path" || fail "$path is missing or empty"
  done
  quietly dpkg --purge shuntfs
  before=$(snapshot)
  ! grep -i shuntfs <<<"$before" || fail "a purge leaves the above behind"

  note "mounted from fstab and from a file"
  quietly dpkg --install /packages/old.deb
  for path in data second; do
    mkdir -p "$CHROOT/srv/$path" "$CHROOT/mnt/$path"
    echo "content of $path" >"$CHROOT/srv/$path/file"
  done
  echo "/srv/data /mnt/data shuntfs defaults 0 0" >>"$CHROOT/etc/fstab"
  printf 'source = "/srv/second"\nmountpoint = "/mnt/second"\n' >"$CHROOT/etc/shuntfs/second.toml"
  # This is what `systemctl enable shuntfs@second` does.
  ln -s /usr/lib/systemd/system/shuntfs@.service "$CHROOT/etc/systemd/system/multi-user.target.wants/shuntfs@second.service"
  quietly mount /mnt/data
  record_mount "$CHROOT/mnt/data"
  quietly shuntfs mount --config=/etc/shuntfs/second.toml
  record_mount "$CHROOT/mnt/second"
  served data
  served second
  pid=$(daemon_of data) || fail "no daemon tells that it serves /mnt/data"
  second=$(daemon_of second) || fail "no daemon tells that it serves /mnt/second"
  equal "$(readlink "/proc/$pid/exe")" "$CHROOT/usr/bin/shuntfs" "the program that serves"

  note "upgraded under a mount with an open file"
  exec 8<"$CHROOT/mnt/data/file"
  : >"$CHROOT/var/log/systemctl"
  quietly apt-get -q -y install --no-install-recommends /packages/new.deb
  equal "$(state_of_package)" "installed $(version_of "$new")" "the package"
  equal "$(sort -u "$CHROOT/var/log/systemctl")" "--system daemon-reload" "what an upgrade tells systemd"
  equal "$(readlink "/proc/$pid/exe")" "$CHROOT/usr/bin/shuntfs (deleted)" "the program that serves, after an upgrade"
  equal "$(cat <&8)" "content of data" "a file that was open"
  exec 8<&-
  served data
  served second
  equal "$(daemon_of data)" "$pid" "the daemon, asked by the new program"
  ended data "$pid"
  quietly mount /mnt/data
  record_mount "$CHROOT/mnt/data"
  served data
  pid=$(daemon_of data) || fail "no daemon tells that it serves /mnt/data"
  equal "$(readlink "/proc/$pid/exe")" "$CHROOT/usr/bin/shuntfs" "the program that serves the next mount"

  note "removed under mounts"
  : >"$CHROOT/var/log/systemctl"
  quietly apt-get -q -y remove shuntfs
  [[ "$SAID" == *"  /mnt/data"* && "$SAID" == *"  /mnt/second"* ]] || fail "removing does not tell what is mounted: $SAID"
  equal "$(state_of_package)" "config-files $(version_of "$new")" "the package"
  equal "$(sort -u "$CHROOT/var/log/systemctl")" "--system daemon-reload" "what a removal tells systemd"
  served data
  served second
  ended data "$pid"
  ended second "$second"
  ! inside mount /mnt/data 2>/dev/null || fail "mount works without the package"

  note "purged; what the administrator wrote stays"
  quietly dpkg --purge shuntfs
  equal "$(state_of_package)" "" "the package"
  [[ ! -L "$CHROOT/etc/systemd/system/multi-user.target.wants/shuntfs@second.service" ]] || fail "the unit is still enabled"
  [[ -s "$CHROOT/etc/shuntfs/second.toml" ]] || fail "the administrator's file is gone"
  rm -r "$CHROOT/etc/shuntfs" "$CHROOT"/{srv,mnt}/{data,second}
  diff <(printf '%s\n' "$before") <(snapshot) || fail "a life leaves the above behind"
}
