#!/bin/bash
# Runs in the guest's root before systemd does: installs, configures, enables.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
tool=$top/daemon/shuntfs
[ -x "$tool" ] || tool=$top/bazel-bin/daemon/shuntfs
install "$tool" /usr/bin/shuntfs
ln -s /usr/bin/shuntfs /sbin/mount.shuntfs
ln -s /usr/bin/shuntfs /sbin/mount.fuse.shuntfs
install -m 644 "$top/systemd/shuntfs@.service" /usr/lib/systemd/system/
install -m 644 "$top/systemd/tmpfiles.d/shuntfs.conf" /usr/lib/tmpfiles.d/
install -D -m 644 "$top/systemd/modprobe.d/shuntfs.conf" /usr/lib/modprobe.d/shuntfs.conf
# The guest's own start has switched it on already; here tmpfiles.d is to do it.
echo N >/sys/module/fuse/parameters/enable_uring

mkdir -p /etc/shuntfs
for name in day fstab boot auto; do mkdir -p "/srv/$name" "/mnt/$name"; done
for name in day fstab boot auto; do echo "content of $name" >"/srv/$name/file"; done
for name in day boot; do
  printf 'source = "/srv/%s"\nmountpoint = "/mnt/%s"\n' "$name" "$name" >"/etc/shuntfs/$name.toml"
done
cat >/etc/fstab <<'FSTAB'
/srv/fstab /mnt/fstab shuntfs data_path=zero-copy,nofail,x-systemd.after=systemd-tmpfiles-setup.service 0 0
/srv/auto /mnt/auto shuntfs data_path=zero-copy,noauto,x-systemd.automount 0 0
FSTAB
systemctl --quiet enable shuntfs@boot
