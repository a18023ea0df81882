#!/usr/bin/env python3
"""The gate lets through what was measured, and nothing dearer."""
import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import gate  # noqa: E402


def within_limits():
    """Costs that are as high as they may be at 1 MiB."""
    costs = {}
    for mode, copies in gate.COPIES.items():
        for operation in ("read", "write"):
            for size in (gate.MIB, 4096):
                costs[mode, operation, size] = {
                    "copied": copies * size, "kernel_stored": 0.0, "user_stored": 0.0,
                    "kernel_insns": 100_000 * gate.KERNEL_INSNS[operation][mode],
                    "syscalls": gate.SYSCALLS[mode][operation]}
    return costs


def complaints_when(mode, operation, size, **changes):
    costs = copy.deepcopy(within_limits())
    costs[mode, operation, size].update(changes)
    return gate.check(costs)


class GateTest(unittest.TestCase):
    def test_what_is_within_the_limits_passes(self):
        self.assertEqual(gate.check(within_limits()), [])

    def test_a_second_copy_of_zero_copied_data_is_found(self):
        found = complaints_when("zero-copy", "read", gate.MIB, copied=1.05 * gate.MIB)
        self.assertEqual(len(found), 1)
        self.assertIn("zero-copy, read of 1 MiB: copies", found[0])

    def test_a_copy_that_is_not_seen_is_found(self):
        self.assertTrue(complaints_when("buffer-pool", "write", gate.MIB, copied=0.5 * gate.MIB))
        self.assertTrue(complaints_when("zero-copy", "write", gate.MIB, user_stored=1.0 * gate.MIB))

    def test_more_instructions_of_the_kernel_are_found(self):
        limit = 100_000 * gate.KERNEL_INSNS["read"]["zero-copy"]
        self.assertTrue(complaints_when("zero-copy", "read", gate.MIB, kernel_insns=limit * 1.02))

    def test_small_requests_may_not_go_back_to_kernel_workers(self):
        pool = within_limits()["buffer-pool", "read", 4096]["kernel_insns"]
        self.assertTrue(complaints_when("zero-copy", "read", 4096, kernel_insns=1.8 * pool))

    def test_a_kernel_that_needs_more_for_everything_is_no_reason(self):
        costs = within_limits()
        for cost in costs.values():
            cost["kernel_insns"] *= 1.2
        self.assertEqual(gate.check(costs), [])

    def test_another_system_call_is_found(self):
        calls = gate.SYSCALLS["zero-copy"]["read"]
        self.assertTrue(complaints_when("zero-copy", "read", 4096, syscalls=calls + 1))


if __name__ == "__main__":
    unittest.main()
