"""Makes the initramfs of the guest: busybox, the modules that its root needs, `init` and what it runs."""
import gzip
import lzma
import os
import shlex
import stat
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

# By transport of the host's root: the file system type, its options, the modules it needs.
ROOTS = {
    "virtiofs": ("virtiofs", "defaults", ["virtiofs"]),
    "9p": ("9p", "trans=virtio,version=9p2000.L,msize=524288,cache=loose", ["9pnet_virtio", "9p"]),
}
COMMON_MODULES = ["virtio_pci", "virtio_blk", "ext4", "overlay", "fuse"]


class Archive:
    """A cpio archive in the format that the kernel unpacks ("newc")."""

    ALIGNMENT = 4

    def __init__(self):
        self._bytes = bytearray()
        self._count = 0

    def directory(self, name):
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, content, executable=False):
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def compressed(self):
        self._add("TRAILER!!!", 0, b"")
        return gzip.compress(bytes(self._bytes), compresslevel=1)

    def _add(self, name, mode, content):
        self._count += 1
        links, owner, no_device, no_checksum = 1, 0, 0, 0
        fields = [self._count, mode, owner, owner, links, 0, len(content), no_device, no_device,
                  no_device, no_device, len(name) + 1, no_checksum]
        self._append(b"070701" + b"".join(b"%08x" % field for field in fields)
                     + name.encode() + b"\0")
        self._append(content)

    def _append(self, data):
        self._bytes += data
        self._bytes += bytes(-len(self._bytes) % self.ALIGNMENT)


def files_of_module(kernel, name):
    """The files to load for a module, in their order; none when it is part of the kernel.

    Debian's packages do not say what is built in: a module that is not there must be.
    """
    result = subprocess.run(
        ["modprobe", "-d", kernel.directory, "-S", kernel.release, "--show-depends", name],
        capture_output=True, text=True, check=False)
    return [line.split()[1] for line in result.stdout.splitlines() if line.startswith("insmod ")]


def read_module(path):
    with (lzma.open(path) if path.endswith(".xz") else open(path, "rb")) as file:
        return file.read()


# Scripts of the guest that lie beside this one; the first is started by the kernel.
SCRIPTS = ["init", "run_command", "start_systemd"]


def build(kernel, busybox, transport, command, timeout_s, output, systemd=False, before=""):
    """The initramfs, as bytes. `command` and `before` are texts of bash scripts; `before` runs in the
    guest's root before systemd does."""
    root_type, root_options, root_modules = ROOTS[transport]
    archive = Archive()
    for name in ("bin", "modules", "proc", "sys", "dev", "host", "changes", "root"):
        archive.directory(name)
    with open(busybox, "rb") as file:
        archive.file("bin/busybox", file.read(), executable=True)
    for name in SCRIPTS:
        with open(os.path.join(HERE, name), "rb") as file:
            archive.file(name, file.read(), executable=True)
    modules = []
    for wanted in COMMON_MODULES + root_modules:
        for path in files_of_module(kernel, wanted):
            name = os.path.basename(path)
            if name not in modules:
                modules.append(name)
                archive.file("modules/" + name, read_module(path))
    settings = {
        "MODULES": " ".join(modules),
        "ROOT_TYPE": root_type,
        "ROOT_OPTIONS": root_options,
        "KERNEL_DIR": kernel.directory,
        "TIMEOUT_S": str(timeout_s),
        "OUTPUT": "yes" if output else "no",
        "SYSTEMD": "yes" if systemd else "no",
    }
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    archive.file("guest.conf", text.encode())
    archive.file("command", command.encode())
    archive.file("before", before.encode())
    return archive.compressed()
