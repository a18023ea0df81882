#!/usr/bin/env python3
"""Holds what requests cost (the JSON file of `run --json`) against what they may cost.

Usage: gate.py FILE

Bytes and system calls are bounded by themselves. Instructions of the kernel are compared between modes, since
another kernel may need more of them for everything. Exit status: 0 when nothing costs too much, else 1.
"""
import json
import sys

MIB = 1 << 20
# Bytes copied per byte moved at 1 MiB: one copy is the backing read or write itself.
COPIES = {"native": 1.0, "device": 2.0, "per-entry": 2.0, "buffer-pool": 2.0, "zero-copy": 1.0, "kernel": 1.0}
COPIES_TOLERANCE = 0.02
# What a transfer by other means than the routines that tally.py knows would show in.
OTHER_STORES = 0.75
# Zero-copy's kernel instructions at 1 MiB, of buffer-pool's: 0.88 and 0.85 when this was written, 0.84 and 0.81
# with a buffer of one huge page. On tmpfs zero-copy pays for a hand-over to a kernel worker, which buffer-pool does without.
ZERO_COPY_INSNS = {"read": 0.90, "write": 0.87}
# What was measured when this was written, reads and writes, and how much more is no reason to fail.
SYSCALLS = {
    "native": {"read": 1, "write": 1},
    "device": {"read": 4, "write": 4},
    "per-entry": {"read": 3, "write": 3},
    "buffer-pool": {"read": 3, "write": 3},
    "zero-copy": {"read": 3, "write": 4},
    "kernel": {"read": 1, "write": 1},
}
SYSCALLS_TOLERANCE = 0.10


def check(costs):
    """The complaints about `costs`: (mode, operation, bytes) -> cost."""
    found = []

    def at_most(what, value, limit):
        if not value <= limit:
            found.append(f"{what}: {value:.2f}, should be at most {limit:.2f}")

    def at_least(what, value, limit):
        if not value >= limit:
            found.append(f"{what}: {value:.2f}, should be at least {limit:.2f}")

    for mode in COPIES:
        for operation in ("read", "write"):
            large = costs[mode, operation, MIB]
            name = f"{mode}, {operation} of 1 MiB"
            at_most(f"{name}: copies", large["copied"] / MIB, COPIES[mode] * (1 + COPIES_TOLERANCE))
            # Data that nobody is seen to move were moved by something that is not counted.
            at_least(f"{name}: copies", large["copied"] / MIB, 1 - COPIES_TOLERANCE)
            at_most(f"{name}: other bytes stored", (large["kernel_stored"] + large["user_stored"]) / MIB,
                    OTHER_STORES)
            for size in (MIB, 4096):
                at_most(f"{mode}, {operation} of {size}: system calls", costs[mode, operation, size]["syscalls"],
                        SYSCALLS[mode][operation] * (1 + SYSCALLS_TOLERANCE))
    for operation in ("read", "write"):
        ratio = (costs["zero-copy", operation, MIB]["kernel_insns"]
                 / costs["buffer-pool", operation, MIB]["kernel_insns"])
        at_most(f"zero-copy, {operation} of 1 MiB: instructions of the kernel, of buffer-pool's", ratio,
                ZERO_COPY_INSNS[operation])
    return found


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        rows = json.load(file)
    found = check({(row["mode"], row["operation"], row["bytes"]): row["cost"] for row in rows})
    for complaint in found:
        print(f"FAILED: {complaint}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
