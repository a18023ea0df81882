"""Finds in a kernel's console what no kernel should ever say."""
import re

# Where a line of the kernel may begin: after a time stamp, the task or CPU that prints, a prefix of the
# subsystem. "Spectre V2 : WARNING" and a user's "traps: x general protection fault" begin otherwise.
START = r"^(?:<\d+>)?(?:\[\s*\d+\.\d+\]\s?)?(?:\[\s*[TC]\d+\]\s)?(?:watchdog:\s|rcu:\s)?"

COMPLAINTS = re.compile(START + r"""(?:
    WARNING:\s                                      # WARN_ON, and all reports of lockdep
  | BUG:\s | kernel\ BUG\ at\s                      # also KASAN, KFENCE, soft lockups
  | Oops\b | general\ protection\ fault | divide\ error | int3:
  | Kernel\ panic\ -\ not\ syncing
  | UBSAN:\s
  | NMI\ watchdog:\ Watchdog\ detected | Watchdog:\ BUG
  | INFO:\ task\ .*\ blocked\ (?:for|in\ I/O\ wait\ for)\ more\ than
  | INFO:\ rcu\w*\ (?:detected|self-detected|.*\bstall)
  | rcu\w*\ kthread\ (?:starved|timer\ wakeup\ didn't)
)""", re.VERBOSE)


def complaints(text):
    """The offending lines."""
    return [line for line in text.splitlines() if COMPLAINTS.search(line)]
