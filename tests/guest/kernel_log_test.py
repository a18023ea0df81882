#!/usr/bin/env python3
"""The lines of a kernel that fail a guest's run, and lines that only look like them."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kernel_log  # noqa: E402

BAD = """\
[   12.345678] WARNING: CPU: 0 PID: 1 at fs/fuse/dev.c:2154 fuse_dev_do_write+0x1/0x2
[   12.345678] WARNING: fs/fuse/dev_uring.c:77 at fuse_uring_abort+0x3/0x60, CPU#1: kworker/1:2/90
[   12.345678][  T123] WARNING: possible circular locking dependency detected
WARNING: said without a time
[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000010
[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [shuntfs:99]
[    1.000000] kernel BUG at mm/slub.c:4321!
[    1.000000] Oops: Oops: 0002 [#1] SMP NOPTI
[    1.000000] Oops: general protection fault, probably for non-canonical address
[    1.000000] Kernel panic - not syncing: sysrq triggered crash
[  242.000000] INFO: task umount:512 blocked for more than 60 seconds.
[  242.000000] INFO: task umount:512 blocked in I/O wait for more than 60 seconds.
[  142.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[  142.000000] rcu: INFO: rcu_preempt self-detected stall on CPU
[  142.000000] rcu: rcu_preempt kthread starved for 5250 jiffies! g1 f0x2
[    1.000000] UBSAN: array-index-out-of-bounds in fs/fuse/inode.c:1:2
"""

GOOD = """\
[    0.100000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
[    1.000000] traps: bash[12] general protection fault ip:1 sp:2 error:0 in libc.so[3+4]
[    1.000000] clocksource: Marking clocksource 'tsc' as unstable because the skew is too large
[    1.000000] rcu: Preemptible hierarchical RCU implementation.
[    1.000000] debugging: WARN is not a word by itself
[    1.000000] EXT4-fs (vda): mounted filesystem r/w with ordered data mode.
[    1.000000] sysrq: Show Blocked State
[    1.000000] NMI watchdog: Perf NMI watchdog permanently disabled
"""


class KernelLog(unittest.TestCase):
    def test_every_bad_line_is_found(self):
        self.assertEqual(kernel_log.complaints(BAD), BAD.splitlines())

    def test_nothing_else_is_found(self):
        self.assertEqual(kernel_log.complaints(GOOD), [])


if __name__ == "__main__":
    unittest.main()
