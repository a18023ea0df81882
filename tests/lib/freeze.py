#!/usr/bin/env python3
"""Freezes threads: freeze.py TID... stops each where it is, alone, prints "frozen", and lets them go on when
a line comes in. A signal would stop the whole process."""
import ctypes
import os
import sys

PTRACE_INTERRUPT, PTRACE_SEIZE = 0x4207, 0x4206
WAIT_FOR_THREADS = 0x40000000  # __WALL

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for tid in map(int, sys.argv[1:]):
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, tid, None, None) != 0:
            sys.exit(f"thread {tid}: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, WAIT_FOR_THREADS)
print("frozen", flush=True)
sys.stdin.readline()  # The end of the tracer is the end of the freeze.
