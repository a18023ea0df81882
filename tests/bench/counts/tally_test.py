#!/usr/bin/env python3
"""What becomes of the plugin's blocks."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tally  # noqa: E402

SYMBOLS = """\
ffffffff81000000 T first_routine
ffffffff81000100 T entry_SYSCALL_64
ffffffff81000200 T __switch_to_asm
ffffffff81000300 t memcpy_orig
ffffffff81000380 d not_code
ffffffff81000400 t rep_movs_alternative
ffffffff81000500 T clear_page_rep
ffffffff81000500 T clear_page_alias
ffffffff81000600 T last_routine
ffffffffc0000000 t in_a_module	[module]
""".splitlines()


def cost(*blocks, operations=1):
    return tally.cost_of(blocks, tally.Symbols(SYMBOLS), operations)


class TallyTest(unittest.TestCase):
    def test_reads_regions_of_blocks(self):
        lines = ["region", "ffffffff81000000 3 5 7", "400000 1 2 0", "end", "region", "end"]
        self.assertEqual(tally.read_regions(lines), [[(0xffffffff81000000, 3, 5, 7), (0x400000, 1, 2, 0)], []])

    def test_a_region_without_end_is_an_error(self):
        with self.assertRaises(ValueError):
            tally.read_regions(["region", "400000 1 2 0"])

    def test_kernel_and_user_are_kept_apart(self):
        found = cost((0xffffffff81000004, 10, 3, 16), (0x400000, 5, 4, 24), operations=2)
        self.assertEqual((found.kernel_insns, found.kernel_stored), (15, 8))
        self.assertEqual((found.user_insns, found.user_stored), (10, 12))
        self.assertEqual(found.copied, 0)

    def test_copies_are_bytes_and_no_instructions(self):
        # Data between two routines does not end the first.
        found = cost((0xffffffff81000310, 4, 10, 320), (0xffffffff81000390, 4, 1, 8),
                     (0xffffffff81000410, 1, 512, 4096))
        self.assertEqual(found.copied, 320 + 8 + 4096)
        self.assertEqual(found.kernel_insns, 0)

    def test_zeroing_is_no_copy_whichever_name_comes_first(self):
        found = cost((0xffffffff81000500, 1, 512, 4096))
        self.assertEqual((found.zeroed, found.copied, found.kernel_insns), (4096, 0, 0))

    def test_calls_and_switches_are_entries_of_their_routines(self):
        found = cost((0xffffffff81000100, 2, 6, 0), (0xffffffff81000110, 2, 6, 0), (0xffffffff81000200, 2, 4, 0),
                     operations=2)
        self.assertEqual((found.syscalls, found.switches), (3, 2))

    def test_a_kernel_without_the_known_routines_is_an_error(self):
        with self.assertRaises(ValueError):
            tally.cost_of([], tally.Symbols(SYMBOLS[:2]), 1)

    def test_the_region_with_the_fewest_instructions_counts(self):
        costs = [tally.Cost(kernel_insns=8, user_insns=1, copied=9), tally.Cost(kernel_insns=3, user_insns=4, copied=2)]
        self.assertEqual(tally.least(costs), costs[1])

    def test_names_the_routines_that_ran_most(self):
        blocks = [(0xffffffff81000600, 4, 10, 0), (0xffffffff81000000, 2, 10, 0), (0xffffffff81000010, 1, 10, 0),
                  (0xffffffff81000400, 1, 1000, 8000), (0x400000, 1, 1000, 0)]
        found = tally.routines(blocks, tally.Symbols(SYMBOLS), 10, 2)
        self.assertEqual(found, {"last_routine": 4, "first_routine": 3})


if __name__ == "__main__":
    unittest.main()
