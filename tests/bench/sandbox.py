"""What the benchmark's programs need from the system: private mounts, the ring's switch, CPU clocks."""

import ctypes
import os
import pathlib
import subprocess
import time

URING_SWITCH = pathlib.Path("/sys/module/fuse/parameters/enable_uring")
CONNECTIONS = pathlib.Path("/sys/fs/fuse/connections")


def enter_private_namespace():
    """Mounts made from here on are nobody else's, and nobody else's appear here."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_rec, ms_private = 0x20000, 0x4000, 1 << 18
    if libc.unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS): run as root")
    if libc.mount(b"none", b"/", None, ms_rec | ms_private, None) != 0:
        raise OSError(ctypes.get_errno(), "cannot make the mount tree private")


def enable_ring():
    """True when mounts made from now on can have a ring; leaves the switch on."""
    try:
        if URING_SWITCH.read_text().strip() != "Y":
            URING_SWITCH.write_text("Y")
    except OSError:
        return False
    return True


def mount_connections():
    if not os.path.ismount(CONNECTIONS):
        subprocess.run(["mount", "-t", "fusectl", "none", str(CONNECTIONS)], check=True)


def abort_connection(number):
    """Ends a FUSE connection however its server is; whoever waits for an answer gets an error."""
    try:
        (CONNECTIONS / str(number) / "abort").write_text("1")
    except OSError:
        pass  # it ended by itself


def cpu_seconds(pid):
    """CPU time of a process, with its threads that have ended and the work io_uring does for it."""
    try:
        # The kernel's number of the CPU clock of a process: see clock_getcpuclockid(3).
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def mount_minor(path):
    """Minor device number of the mount at `path` from mountinfo, or None; asks no server."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == path:
            return int(fields[2].split(":")[1])
    return None
