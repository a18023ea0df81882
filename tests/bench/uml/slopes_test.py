#!/usr/bin/env python3
"""What becomes of measured times."""
import collections
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import slopes  # noqa: E402

Region = collections.namedtuple("Region", "mode layout operation bytes operations ns")


def regions(mode, large_ns, small_ns):
    """Three regions of each size, two operations each; the times are those of single operations."""
    return [Region(mode, "ordered", "read", size, 2, 2 * ns)
            for size, times in ((slopes.MIB, large_ns), (slopes.SMALL, small_ns)) for ns in times]


class SlopesTest(unittest.TestCase):
    def test_what_does_not_depend_on_size_drops_out(self):
        found = slopes.slopes(regions("device", [1400, 1300, 9000], [300, 200, 400]))
        self.assertEqual(found, {("device", "ordered", "read"): 1100})

    def test_ratios_are_of_one_round_each(self):
        rounds = [slopes.slopes(regions("zero-copy", [zero] * 3, [0] * 3) + regions("per-entry", [per] * 3, [0] * 3))
                  for zero, per in ((50, 100), (120, 200), (90, 100))]
        self.assertEqual(slopes.ratios(rounds, "zero-copy", "per-entry", "ordered", "read"), (0.6, 0.5, 0.9))


if __name__ == "__main__":
    unittest.main()
