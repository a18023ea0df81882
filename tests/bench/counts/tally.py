"""Turns blocks of executed code into what one operation cost.

The blocks come from the plugin (block_counts.cc), the names from the guest's /proc/kallsyms.
"""
import bisect
import collections
import dataclasses
import re

# Addresses from here on are the kernel's.
KERNEL = 1 << 47
# What moves data, by the kernel's names for it (arch/x86/lib/{memcpy,memmove,copy_user,copy_page}*.S). User
# copies are inlined in front of rep_movs_alternative and jump into it.
COPIES = re.compile(r"(__)?(memcpy|memmove)(_orig|_erms)?|memcpy_orig|rep_movs_alternative|copy_page(_regs)?"
                    r"|copy_user_generic\w*|copy_mc_fragile\w*|__copy_user_nocache|__copy_user_flushcache")
ZEROING = re.compile(r"(__)?memset(_orig|_erms)?|clear_page\w*|rep_stos_alternative|__clear_user\w*")
SYSTEM_CALL = "entry_SYSCALL_64"
SWITCH = "__switch_to_asm"


@dataclasses.dataclass
class Cost:
    """Of one operation."""
    kernel_insns: float = 0  # without those of copying and zeroing
    user_insns: float = 0
    copied: float = 0        # bytes that the kernel's copying routines stored
    zeroed: float = 0
    kernel_stored: float = 0  # bytes that the rest of the kernel stored, one variable at a time
    user_stored: float = 0   # bytes that programs stored, copies of their own included
    syscalls: float = 0
    switches: float = 0


class Symbols:
    """Which routine of the kernel an address belongs to."""

    def __init__(self, lines):
        pairs = sorted((int(words[0], 16), words[2]) for words in map(str.split, lines)
                       if words[1] in "tTwW")
        self._addresses = [address for address, _ in pairs]
        self._names = collections.defaultdict(list)
        for address, name in pairs:
            self._names[address].append(name)

    def names_at(self, address):
        """The names of the routine that holds the address; none below the first one."""
        index = bisect.bisect_right(self._addresses, address) - 1
        return self._names[self._addresses[index]] if index >= 0 else []

    def start(self, name):
        return next((address for address, names in self._names.items() if name in names), None)


def read_regions(lines):
    """The plugin's output: for each region its blocks (address, instructions, executions, stored bytes)."""
    regions = []
    blocks = None
    for line in lines:
        words = line.split()
        if words == ["region"]:
            blocks = []
        elif words == ["end"]:
            regions.append(blocks)
            blocks = None
        else:
            blocks.append((int(words[0], 16), *map(int, words[1:])))
    if blocks is not None:
        raise ValueError("the last region has no end")
    return regions


def is_any(pattern, names):
    return any(pattern.fullmatch(name) for name in names)


def cost_of(blocks, symbols, operations):
    """What each of the operations of a region cost on average."""
    starts = {symbols.start(SYSTEM_CALL): "syscalls", symbols.start(SWITCH): "switches"}
    if None in starts or len(starts) != 2:
        raise ValueError(f"the kernel has no {SYSTEM_CALL} or no {SWITCH}")
    sums = collections.Counter()
    for address, instructions, executions, stored in blocks:
        if address in starts:
            sums[starts[address]] += executions
        if address < KERNEL:
            sums["user_insns"] += instructions * executions
            sums["user_stored"] += stored
            continue
        names = symbols.names_at(address)
        if is_any(COPIES, names):
            sums["copied"] += stored
        elif is_any(ZEROING, names):
            sums["zeroed"] += stored
        else:
            sums["kernel_insns"] += instructions * executions
            sums["kernel_stored"] += stored
    return Cost(**{name: value / operations for name, value in sums.items()})


def least(costs):
    """The region that was disturbed least: what else a kernel does only ever adds instructions."""
    return min(costs, key=lambda cost: cost.kernel_insns + cost.user_insns)


def routines(blocks, symbols, operations, count):
    """The kernel's routines that ran the most instructions for an operation, copying ones aside."""
    sums = collections.Counter()
    for address, instructions, executions, _ in blocks:
        names = symbols.names_at(address) if address >= KERNEL else []
        if names and not is_any(COPIES, names) and not is_any(ZEROING, names):
            sums[names[0]] += instructions * executions
    return {name: round(value / operations) for name, value in sums.most_common(count)}
