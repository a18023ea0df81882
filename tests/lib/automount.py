#!/usr/bin/env python3
"""An automounter as systemd is one: automount.py DIR COMMAND... puts a direct autofs trigger on DIR and, when
somebody walks over it, runs COMMAND in its own process group, which alone the kernel lets pass until then.

Prints "listening", then "asked" and "exit status N" for each time. Ended, it lets everybody pass.
"""
import ctypes
import fcntl
import os
import struct
import subprocess
import sys

# linux/auto_fs.h, auto_fs4.h
AUTOFS_IOC_READY = 0x9360
AUTOFS_IOC_FAIL = 0x9361
MISSING_DIRECT = 5
PACKET = struct.Struct("=iiIIQIIIII256s")  # struct autofs_v5_packet
PACKET_BYTES = 304  # with the padding of x86-64

directory, command = sys.argv[1], sys.argv[2:]
os.setpgid(0, 0)
reader, writer = os.pipe()
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={writer},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if libc.mount(b"shuntfs-test", directory.encode(), b"autofs", 0, options.encode()) != 0:
    sys.exit(f"autofs at {directory}: {os.strerror(ctypes.get_errno())}")
os.close(writer)
trigger = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
print("listening", flush=True)
while True:
    packet = os.read(reader, PACKET_BYTES)
    _, kind, token, *_ = PACKET.unpack(packet[: PACKET.size])
    assert kind == MISSING_DIRECT, kind
    print("asked", flush=True)
    status = subprocess.run(command).returncode
    print(f"exit status {status}", flush=True)
    fcntl.ioctl(trigger, AUTOFS_IOC_FAIL if status else AUTOFS_IOC_READY, token)
