#!/usr/bin/env python3
"""A mode is believed only when the daemon's counters say what the client did."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import way  # noqa: E402

# Two series of two regions each, of two reads.
READS = way.read_regions(["zero-copy huge read 1048576 2 900"] * 4)


def status(path, zero_copied=0, plain=0, fixed=0, ring_requests=6):
    counted = {f"{kind}_write_bytes": 0 for kind in ("zero_copy", "plain", "fixed")}
    counted |= {"zero_copy_read_bytes": zero_copied, "plain_read_bytes": plain, "fixed_read_bytes": fixed}
    return {"data_path": path, "io": counted, "transport": {"ring_requests": ring_requests}}


class WayTest(unittest.TestCase):
    def test_reads_what_the_script_writes(self):
        self.assertEqual(READS[0], way.Region("zero-copy", "huge", "read", 1 << 20, 2, 900))

    def test_a_series_has_one_pass_more_than_regions(self):
        self.assertEqual(way.sent_bytes(READS, 2), {"read": 6 << 20, "write": 0})

    def test_zero_copied_bytes_prove_zero_copy(self):
        sent = way.sent_bytes(READS, 2)
        self.assertIsNone(way.complaint("zero-copy", status("zero-copy", zero_copied=6 << 20), sent))
        self.assertIn("bytes zero-copied", way.complaint("zero-copy", status("zero-copy", fixed=6 << 20), sent))
        self.assertIn("should be", way.complaint("zero-copy", status("zero-copy", zero_copied=5 << 20), sent))

    def test_another_mode_than_the_asked_for_is_no_proof(self):
        sent = way.sent_bytes(READS, 2)
        self.assertIn("served by device", way.complaint("per-entry", status("device", plain=6 << 20), sent))

    def test_ring_modes_need_the_ring(self):
        sent = way.sent_bytes(READS, 2)
        self.assertIsNone(way.complaint("device", status("device", plain=6 << 20, ring_requests=0), sent))
        self.assertIn("over the ring", way.complaint("buffer-pool", status("buffer-pool", plain=6 << 20,
                                                                           ring_requests=0), sent))


if __name__ == "__main__":
    unittest.main()
