"""Tests that run in the guest of tests/guest/run, once per data path."""

# The data paths that the guest's kernel has to offer.
MODES = [
    "device",
    "per-entry",
    "buffer-pool",
    "zero-copy",
    "kernel",
]

def guest_test(name, script, data, args = [], modes = MODES, timeout = "eternal", tags = []):
    """One test per mode of a script that starts the guest, with the mode as its first argument.

    Each starts a machine of its own, which takes seconds: put into one what can run in one.

    Args:
      name: prefix of the tests, which are called NAME_MODE.
      script: what to run.
      data: what the script needs besides the guest and the tool.
      args: further arguments of the script.
      modes: the modes to run in.
      timeout: as of any test; the guest's own should come first.
      tags: more tags.
    """
    for mode in modes:
        native.sh_test(
            name = name + "_" + mode.replace("-", "_"),
            timeout = timeout,
            srcs = [script],
            args = [mode] + args,
            data = [
                ":guest",
                "//daemon:shuntfs",
            ] + data,
            # Emulation takes one CPU: as many run at a time as there are CPUs.
            # Bazel does not know which kernel it will be.
            tags = [
                "external",
                "local",
                "no-sanitizers",
            ] + tags,
        )
