"""How long each further byte takes, from the times of large and small operations.

A slope is the time of an operation of 1 MiB less that of one of 4 KiB: what an operation costs whatever its size, which
User-Mode Linux exaggerates most, is in both and drops out.
"""
import collections
import statistics

MIB = 1 << 20
SMALL = 4096


def slopes(regions):
    """(mode, layout, operation) -> nanoseconds; a time is that of the fastest region, since whatever else the machine does
    only adds to it."""
    times = collections.defaultdict(list)
    for region in regions:
        times[region.mode, region.layout, region.operation, region.bytes].append(region.ns / region.operations)
    found = {}
    for mode, layout, operation, size in times:
        if size == MIB:
            found[mode, layout, operation] = min(times[mode, layout, operation, MIB]) - min(
                times[mode, layout, operation, SMALL])
    return found


def ratios(slopes_of_rounds, mode, base, layout, operation):
    """The median, the least and the largest ratio of two modes' slopes over several rounds; each round compares its own."""
    values = [found[mode, layout, operation] / found[base, layout, operation] for found in slopes_of_rounds]
    return statistics.median(values), min(values), max(values)
