#!/bin/bash
# A tree copied into the mount and out again, by rsync -aHAX and by tar, is the tree it was:
# content, owners, modes, times to the nanosecond, hard links, symbolic links, sparse files, special
# files, ACLs and extended attributes, and every odd name.
#
#   round_trip.sh plain|device|per-entry
#
# SHUNTFS_ROUND_TRIP_SOURCE names another tree than the part of /usr/share that is the default.
source "$(dirname "$0")/../lib/mount.sh"
test_begin 400 "$@"
need rsync tar setfacl setfattr

src="$WORK/src"
mnt="$WORK/mnt"
tree="$WORK/tree"
make_backing "$src" ext4
mkdir "$tree"
mount_shuntfs "$MODE" "$src" "$mnt"

# The default is a part of /usr/share, so that it does not take minutes: what of it is most varied.
if [[ -n "${SHUNTFS_ROUND_TRIP_SOURCE:-}" ]]; then
  must cp -a "$SHUNTFS_ROUND_TRIP_SOURCE" "$tree/share"
else
  mkdir "$tree/share"
  for part in bash-completion doc-base perl5 zoneinfo terminfo mime info keyrings pixmaps misc; do
    [[ -d "/usr/share/$part" ]] || continue
    (cd /usr/share && must cp -a --parents "$part" "$tree/share") || exit 1
  done
  # And of what has most entries, documentation and manual pages, a number of them: tiny files and
  # links.
  for part in doc man; do
    [[ -d "/usr/share/$part" ]] || continue
    (cd /usr/share && find "$part" | head -n 1500 | tar -c --no-recursion -f - -T -) |
      must tar -x -p -f - -C "$tree/share"
  done
fi
note "the tree has $(find "$tree" | wc -l) entries, $(du -sh "$tree" | cut -f1)"

# What /usr/share has too little of.
make_oddities() {
  mkdir "$1" && cd "$1" || return 1
  echo one >first && ln first second && mkdir sub && ln first sub/third
  ln -s nowhere dangling && ln -s "$(printf 'x%.0s' {1..1000})" long-link
  mkfifo fifo && mknod null c 1 3
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
  truncate -s 20M sparse && echo middle | dd of=sparse bs=1 seek=10000000 conv=notrunc status=none
  echo owned >owned && chown 1234:4321 owned && chmod 6755 owned
  mkdir sticky && chmod 3777 sticky
  echo secret >none && chmod 0 none
  touch -d '1999-12-31 23:59:59.123456789' old && touch -d '2038-02-01 00:00:00.000000001' future
  echo x >"$(printf 'n%.0s' {1..255})"
  local name
  for name in $'new\nline' ' leading' 'trailing ' $'\xff\xfe\x80' -dash; do echo x >"$name"; done
  echo acl >acl && setfacl -m u:1234:rwx,g:4321:r acl
  mkdir acl-dir && setfacl -m d:u:1234:rwx,u:1234:rx acl-dir && echo x >acl-dir/inherits
  echo x >attributed && setfattr -n user.name -v value attributed
  setfattr -n user.empty attributed && setfattr -n trusted.name -v trust attributed
  touch empty && head -c 3000000 /dev/urandom >random
  # rsync leaves times alone that differ by less than a second, so none may be from just now.
  find . -depth ! -name old ! -name future -exec touch -h -d '2001-02-03 04:05:06.789012345' {} +
}
(must make_oddities "$tree/oddities") || exit 1
touch -d '2002-03-04 05:06:07.890123456' "$tree" "$tree/share"

# manifest DIR: everything about every entry but what a copy cannot keep (inode numbers, ctime,
# atime). Sizes of directories are the file system's business.
manifest() (
  cd "$1" || exit 1
  find . -printf '%y %m %U:%G %n %T@ %l ' \( -type d -printf - -o -printf %s \) -printf ' %p\0' |
    LC_ALL=C sort -z | tr '\0\n' '\n?'
  # Every hard link beside the first name of its inode, in the order of names.
  find . -type f -links +1 -printf '%p\0%i\0' | paste -z - - | LC_ALL=C sort -z | tr '\0\n' '\n?' |
    awk -F '\t' '{ if (!($2 in first)) first[$2] = $1; print first[$2] " = " $1 }'
  find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  getfacl -R -n -p -P . 2>/dev/null
  getfattr -R -h -d -m '^(user|trusted)\.' . 2>/dev/null
)

same_tree() {
  manifest "$1" >"$WORK/manifest.expected"
  manifest "$2" >"$WORK/manifest.actual"
  (($(wc -l <"$WORK/manifest.expected") > 1000)) ||
    fail "the manifest is too short to prove anything"
  diff "$WORK/manifest.expected" "$WORK/manifest.actual" >"$WORK/manifest.diff" ||
    fail "$3 differs: $(head -n 40 "$WORK/manifest.diff")"
}

copy() { must rsync -aHAXS --numeric-ids "$1/" "$2/"; }

note "rsync into the mount"
copy "$tree" "$mnt/rsync"
same_tree "$tree" "$mnt/rsync" "the tree in the mount"
equal "$(rsync -naHAXc --numeric-ids --delete --itemize-changes "$tree/" "$mnt/rsync/")" "" \
  "what rsync would still change"
note "rsync out of the mount, with cold caches"
echo 3 >/proc/sys/vm/drop_caches
copy "$mnt/rsync" "$WORK/back"
same_tree "$tree" "$WORK/back" "the tree that came back"
rm -rf "$WORK/back"

note "tar into the mount and out again"
mkdir "$mnt/tar" "$WORK/back"
tar_options=(--acls --xattrs --xattrs-include='*' --sparse --numeric-owner)
# A socket has no place in an archive.
rm "$tree/oddities/socket"
touch -d '2001-02-03 04:05:06.789012345' "$tree/oddities"
must tar "${tar_options[@]}" --format=posix -C "$tree" -c -f "$mnt/archive.tar" .
must tar "${tar_options[@]}" -C "$mnt/tar" -x -p -f "$mnt/archive.tar"
same_tree "$tree" "$mnt/tar" "the unpacked tree"
must tar "${tar_options[@]}" -C "$mnt/tar" -d -f "$mnt/archive.tar"

note "a tree moved and removed inside the mount"
must mv "$mnt/tar" "$mnt/moved"
same_tree "$tree" "$mnt/moved" "the moved tree"
must rm -rf "$mnt/moved"
[[ ! -e "$src/moved" ]] || fail "the removed tree is still underneath"

assert_mode_served "$MODE" "$mnt" 20000
umount_shuntfs "$MODE" "$mnt"
[[ -d "$src/rsync/oddities" ]] || fail "the copied tree is not underneath"
