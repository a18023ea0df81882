#!/usr/bin/env python3
"""Two users of one mount: one takes all that it can get, the other works.

    neighbours.py hostile SRC MNT UID     in the directories `hostile` of SRC and MNT, until killed
    neighbours.py victim MNT UID CPU ROUNDS     in the directory `victim` of MNT

Both are started as root and open their directories before they become UID. hostile prints "ready" when it
has begun with everything. victim fails with the first call that fails; it prints how long its calls took.
"""

import errno
import fcntl
import os
import resource
import signal
import sys
import threading
import time

LEASES = 200
FILES = 1000
DIRECTORIES = 200
LARGE_BYTES = 1 << 30


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def for_ever(step):
    """Repeats a step in a thread; what the mount refuses is tried again."""

    def run():
        while True:
            try:
                step()
            except OSError:
                time.sleep(0.05)

    threading.Thread(target=run, daemon=True).start()


def hold_leases(source):
    for i in range(LEASES):
        # Open until the process ends.
        file = os.open(f"leased{i}", os.O_CREAT | os.O_RDWR, 0o644, dir_fd=source)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)


def wait_for_lease(mount, i, cpus):
    def step():
        os.sched_setaffinity(0, {cpus[i % len(cpus)]})
        os.close(os.open(f"leased{i}", os.O_RDONLY, dir_fd=mount))
        time.sleep(0.1)  # the kernel breaks a lease after 45 s; then nothing is waited for any more

    return step


def delete_large_files(mount, i):
    def step():
        file = os.open(f"large{i}", os.O_CREAT | os.O_RDWR, 0o644, dir_fd=mount)
        try:
            os.ftruncate(file, LARGE_BYTES)
            os.pwrite(file, bytes(1 << 20), LARGE_BYTES // 2)
            os.unlink(f"large{i}", dir_fd=mount)
        finally:
            os.close(file)

    return step


def copy(mount, i):
    def step():
        source = os.open("copied", os.O_RDONLY, dir_fd=mount)
        target = os.open(f"copy{i}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644, dir_fd=mount)
        try:
            os.copy_file_range(source, target, 4 << 20, 0, 0)
        finally:
            os.close(source)
            os.close(target)

    return step


def take_descriptors(mount):
    for i in range(FILES):
        os.open(f"file{i}", os.O_CREAT | os.O_RDWR, 0o644, dir_fd=mount)  # and left open
        os.link(f"file{i}", f"link{i}", src_dir_fd=mount, dst_dir_fd=mount)
        os.unlink(f"file{i}", dir_fd=mount)
    for i in range(DIRECTORIES):
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
        next(os.scandir(directory))


def hostile(source_path, mount_path, uid):
    source = os.open(f"{source_path}/hostile", os.O_RDONLY | os.O_DIRECTORY)
    mount = os.open(f"{mount_path}/hostile", os.O_RDONLY | os.O_DIRECTORY)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    become(uid)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    threading.stack_size(256 << 10)
    cpus = sorted(os.sched_getaffinity(0))
    file = os.open("copied", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=mount)
    os.write(file, bytes(4 << 20))
    os.close(file)
    take_descriptors(mount)
    hold_leases(source)
    for i in range(LEASES):
        for_ever(wait_for_lease(mount, i, cpus))
    for i in range(4):
        for_ever(delete_large_files(mount, i))
        for_ever(copy(mount, i))
    print("ready", flush=True)
    while True:
        signal.pause()


def victim(mount_path, uid, cpu, rounds):
    os.sched_setaffinity(0, {cpu})
    mount = os.open(f"{mount_path}/victim", os.O_RDONLY | os.O_DIRECTORY)
    become(uid)
    slowest = {}

    def timed(name, call, *arguments, **options):
        begin = time.monotonic()
        result = call(*arguments, **options)
        slowest[name] = max(slowest.get(name, 0), time.monotonic() - begin)
        return result

    content = bytes(range(256)) * 256
    for i in range(rounds):
        name, moved = f"{cpu}.{i}", f"{cpu}.{i}.moved"
        file = timed("create", os.open, name, os.O_CREAT | os.O_RDWR, 0o644, dir_fd=mount)
        timed("write", os.pwrite, file, content, 0)
        timed("fsync", os.fsync, file)
        timed("fallocate", os.posix_fallocate, file, 0, 1 << 20)
        timed("rename", os.rename, name, moved, src_dir_fd=mount, dst_dir_fd=mount)
        timed("close", os.close, file)
        file = timed("open", os.open, moved, os.O_RDONLY, dir_fd=mount)
        if timed("read", os.pread, file, len(content), 0) != content:
            sys.exit(f"{moved} is not what it should be")
        os.close(file)
        if moved not in timed("list", os.listdir, mount):
            sys.exit(f"{moved} is not in the list")
        timed("unlink", os.unlink, moved, dir_fd=mount)
        try:
            timed("stat", os.stat, moved, dir_fd=mount)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
    print(f"CPU {cpu}, slowest of {rounds} in ms:",
          ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in slowest.items()))


if __name__ == "__main__":
    if sys.argv[1] == "hostile":
        hostile(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        victim(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
