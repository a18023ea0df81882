"""Script tests that work on a mount."""

MODES = [
    "device",
    "per-entry",
]

def mount_script_test(name, data = [], size = "medium", modes = MODES, tags = []):
    """One test per mode of a script that takes the mode as its first argument.

    They need root, the real /dev/fuse and a mount namespace, hence "local"; they load the machine
    or look at all of it, hence "exclusive".

    Args:
      name: of the script, without .sh; the tests are called NAME_MODE.
      data: what the script needs besides the tool and the shell library.
      size: the time limit; the script's own watchdog should come first.
      modes: the modes to run in.
      tags: in addition to those above.
    """
    for mode in modes:
        native.sh_test(
            name = name + "_" + mode.replace("-", "_"),
            size = size,
            srcs = [name + ".sh"],
            args = [mode],
            data = [
                "//daemon:shuntfs",
                "//tests/lib",
            ] + data,
            tags = [
                "exclusive",
                "local",
            ] + tags,
        )
