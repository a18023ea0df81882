"""The mount suite: one set of test cases, run once per data path and kind of backing."""

load("//bazel:defs.bzl", "shuntfs_binary", "shuntfs_library", "shuntfs_test")

MODES = {
    "device": "device",
    "per_entry": "per-entry",
    "kernel": "kernel",
}

def mount_test(name, srcs, backings = ["tmpfs", "disk"], size = "medium", tags = [], data = [], deps = []):
    """Compiles `srcs` once and makes <name>_<mode>_<backing> for each combination.

    The tests mount file systems in a mount namespace of their own, so they need root and run
    one at a time. <name>_plain_<backing> puts a bind mount in the daemon's place and so proves
    the cases themselves; it runs only when asked for by name.

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
        for suffix, mode in MODES.items():
            shuntfs_test(
                name = "%s_%s_%s" % (name, suffix, backing),
                size = size,
                args = ["--mode=" + mode, "--backing=" + backing],
                data = ["//daemon:shuntfs"] + data,
                linkstatic = True,
                tags = ["exclusive", "local"] + tags,
                deps = [":" + name + "_cases", ":main"],
            )
        shuntfs_test(
            name = "%s_plain_%s" % (name, backing),
            size = size,
            args = ["--mode=plain", "--backing=" + backing],
            linkstatic = True,
            tags = ["exclusive", "local", "manual"] + tags,
            deps = [":" + name + "_cases", ":main"],
        )

# What some of the test cases run beside the daemon.
SUITE_DATA = [
    ":deny_syscall",
    ":spoil_command",
]

def _suite_deps():
    rules = sorted(native.existing_rules())
    return [":main"] + [":" + rule for rule in rules if rule.endswith("_cases")]

def mount_suite(name):
    """One program with every test case of the package, which takes the same arguments as each test.

    For tests/guest, where starting a machine for each family would take longer than its tests.

    Args:
      name: the program's.
    """
    shuntfs_binary(
        name = name,
        testonly = True,
        linkstatic = True,
        data = SUITE_DATA,
        visibility = ["//tests/guest:__pkg__"],
        deps = _suite_deps(),
    )

def sanitized_suite(name):
    """The whole suite as one test for each way that requests come, on tmpfs, for builds with sanitizers.

    They would link a program for each family and mode longer than they run it. Run only when asked for by name.

    Args:
      name: the prefix of the targets; <name>_device is tagged "extended".
    """
    for suffix, tags in {"per_entry": [], "device": ["extended"]}.items():
        shuntfs_test(
            name = name + "_" + suffix,
            timeout = "eternal",
            args = ["--mode=" + MODES[suffix], "--backing=tmpfs"],
            data = ["//daemon:shuntfs"] + SUITE_DATA,
            linkstatic = True,
            tags = ["exclusive", "local", "manual"] + tags,
            deps = _suite_deps(),
        )
