"""What measure.sh leaves: the regions that were measured, and whether the bytes went the way that each mode is named after."""
import dataclasses
import json
import os
import sys

MIB = 1 << 20
OPERATIONS = ("read", "write")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


@dataclasses.dataclass(frozen=True)
class Region:
    """One pass of the client over the file."""
    mode: str
    layout: str
    operation: str
    bytes: int
    operations: int
    ns: int

    @property
    def series(self):
        return self.mode, self.layout, self.operation, self.bytes


def built(path):
    """A file of the build: in the runfiles or, started by hand, below bazel-bin."""
    for base in (ROOT, os.path.join(ROOT, "bazel-bin")):
        candidate = os.path.join(base, path)
        if os.path.exists(candidate):
            return candidate
    sys.exit(f"{path} is not built: bazel build --config=release //daemon:shuntfs //tests/bench/modes:all "
             "//tests/bench/counts:all")


def read_lines(directory, name):
    with open(os.path.join(directory, name), encoding="ascii") as file:
        return file.read().splitlines()


def read_regions(lines):
    fields = (line.split() for line in lines)
    return [Region(mode, layout, operation, int(size), int(operations), int(ns))
            for mode, layout, operation, size, operations, ns in fields]


def sent_bytes(regions, series_count):
    """What each operation moved in the last of several equal series: a client warms up with one pass more than it has regions."""
    sent = dict.fromkeys(OPERATIONS, 0)
    passes = {}
    for region in regions:
        sent[region.operation] += region.bytes * region.operations
        passes[region.series] = region.bytes * region.operations
    sent = {operation: total // series_count for operation, total in sent.items()}
    for (_, _, operation, _), warm_up in passes.items():
        sent[operation] += warm_up
    return sent


def complaint(mode, status, sent):
    """What the daemon's counters have against the mode; None when they prove it."""
    for operation in OPERATIONS:
        counted = status["io"]
        zero_copied = counted[f"zero_copy_{operation}_bytes"]
        copied = counted[f"plain_{operation}_bytes"] + counted[f"fixed_{operation}_bytes"]
        expected = {"zero-copy": (sent[operation], 0), "kernel": (0, 0)}.get(mode, (0, sent[operation]))
        if (status["data_path"], zero_copied, copied) != (mode, *expected):
            return (f"{mode}: served by {status['data_path']}, {operation}: {zero_copied} bytes zero-copied and "
                    f"{copied} copied; should be {expected[0]} and {expected[1]}")
    requests = status["transport"]["ring_requests"]
    if (requests > 0) != (mode not in ("device", "kernel")):
        return f"{mode}: {requests} requests came over the ring"
    return None


def checked_regions(directory, series_count=1):
    """The regions that measure.sh left in `directory`; ends the program where a mode was not what it should be."""
    regions = read_regions(read_lines(directory, "regions"))
    for mode in sorted({region.mode for region in regions} - {"native"}):
        status = json.loads("\n".join(read_lines(directory, f"status.{mode}")))
        found = complaint(mode, status, sent_bytes([r for r in regions if r.mode == mode], series_count))
        if found:
            sys.exit(found)
    return regions
