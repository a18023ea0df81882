#!/bin/bash
# Runs in the guest's root before systemd does: installs, configures, enables.
set -eu
PATH=$PATH:/usr/sbin:/sbin
# A database of its own: this machine's takes long to read in emulation, and need not have all dependencies.
mkdir -p /var/lib/guest-dpkg/updates /var/lib/guest-dpkg/info
: >/var/lib/guest-dpkg/status
dpkg --admindir=/var/lib/guest-dpkg --force-depends --install "$SHUNTFS_PACKAGE"
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
