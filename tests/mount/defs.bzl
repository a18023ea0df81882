"""The mount suite: one set of test cases, run once per data path and kind of backing.

One program holds all of them and is one test for each combination (mount_suite): to link a program for each family and
combination takes longer than the tests do. The tests of single families are there for who works on one.
"""

load("//bazel:defs.bzl", "shuntfs_binary", "shuntfs_library", "shuntfs_test")

MODES = {
    "device": "device",
    "per_entry": "per-entry",
    "kernel": "kernel",
}

def mount_test(name, srcs, backings = ["tmpfs", "disk"], size = "medium", tags = [], data = [], deps = []):
    """Compiles `srcs` once, for the suite, and makes <name>_<mode>_<backing> for each combination.

    The tests mount file systems in a mount namespace of their own, so they need root and run
    one at a time. They run only when asked for by name; <name>_plain_<backing> puts a bind mount
    in the daemon's place and so proves the cases themselves.

    Args:
      name: the prefix of the targets.
      srcs: files with TEST_Fs.
      backings: the kinds of file system below SRC.
      size: as of any test.
      tags: more tags for every target.
      data: programs that the tests run, besides the daemon.
      deps: more libraries that srcs need.
    """
    shuntfs_library(
        name = name + "_cases",
        testonly = True,
        srcs = srcs,
        alwayslink = True,
        linkstatic = True,
        deps = deps + [":fixture", "@system//:gtest"],
    )
    for backing in backings:
        for suffix, mode in MODES.items() + [("plain", "plain")]:
            shuntfs_test(
                name = "%s_%s_%s" % (name, suffix, backing),
                size = size,
                args = ["--mode=" + mode, "--backing=" + backing],
                data = ["//daemon:shuntfs"] + data,
                linkstatic = True,
                tags = ["exclusive", "local", "manual"] + tags,
                deps = [":" + name + "_cases", ":main"],
            )

# What some of the test cases run beside the daemon.
SUITE_DATA = [
    ":deny_syscall",
    ":spoil_command",
]

# Test cases for which it does not matter what SRC lies on: they run on tmpfs alone.
ANY_BACKING = [
    "CallerStay",
    "Escape",
    "Leases",
    "Policies",
    "Refusal",
    "StartFailures",
    "UserMount",
    "UserPolicy",
    "UserRefusal",
    "UserStart",
]

def mount_suite(name):
    """One program with every test case of the package, and one test of it per data path and backing.

    The program is for tests/guest, where starting a machine for each family would take longer than its tests. It takes the
    same arguments as each test.

    Args:
      name: the program's; the tests are called <name>_<mode>_<backing>.
    """
    rules = sorted(native.existing_rules())
    deps = [":main"] + [":" + rule for rule in rules if rule.endswith("_cases")]
    shuntfs_binary(
        name = name,
        testonly = True,
        linkstatic = True,
        data = SUITE_DATA,
        visibility = ["//tests/guest:__pkg__"],
        deps = deps,
    )
    filters = {
        "tmpfs": [],
        "disk": ["--gtest_filter=-" + ":".join([case + ".*" for case in ANY_BACKING])],
    }
    for backing, arguments in filters.items():
        for suffix, mode in MODES.items():
            shuntfs_test(
                name = "%s_%s_%s" % (name, suffix, backing),
                timeout = "eternal",
                args = ["--mode=" + mode, "--backing=" + backing] + arguments,
                data = ["//daemon:shuntfs"] + SUITE_DATA,
                linkstatic = True,
                tags = ["exclusive", "local"],
                deps = deps,
            )
