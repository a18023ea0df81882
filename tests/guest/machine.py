"""Starts QEMU with a kernel and an initramfs, follows what the guest says, and ends it.

One Machine is one attempt. Everything it makes lies in its directory; every process it starts is ended by
stop(), and by the system should this process die.
"""
import os
import shutil
import signal
import socket
import subprocess
import time

POLL_S = 0.05
# From the report of the command's end to the end of QEMU.
POWER_OFF_S = 60
# How long the guest may take to end a command that is overdue, and to say what was in its way.
GRACE_S = 90
VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")
# A process that this puts in front of its command line ends with this one.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]

KERNEL_ARGUMENTS = [
    "console=ttyS0",
    "loglevel=5",
    # A crash ends QEMU at once (with -no-reboot); after an oops, anything could hang.
    "panic=-1",
    "oops=panic",
    # A busy host can keep the guest from running for longer than the usual limits of a CPU.
    "rcupdate.rcu_cpu_stall_timeout=60",
    "sysctl.kernel.watchdog_thresh=60",
    "sysctl.kernel.hung_task_timeout_secs=60",
]

# What is emulated speculates nothing.
EMULATED_KERNEL_ARGUMENTS = ["mitigations=off"]

ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    # thread=multi, a thread for each CPU, crashes or hangs in one boot of ten. Nehalem is x86-64-v2 without
    # what costs most to emulate: process-context ids above all, which make a program's start twice as slow.
    "tcg": ["-accel", "tcg,thread=single", "-cpu", "Nehalem"],
}


def find_virtiofsd():
    return next((path for path in VIRTIOFSD if os.access(path, os.X_OK)), None)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Machine:
    def __init__(self, directory, shape, kernel, initramfs, accelerator):
        """`shape` has cpus, possible_cpus, memory_mib, disk_gib, transport, kernel_arguments,
        qemu_arguments."""
        self.directory = directory
        self.accelerator = accelerator
        self._shape = shape
        self._kernel = kernel
        self._processes = []
        self._qemu = None
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        with open(self.path("initramfs"), "wb") as file:
            file.write(initramfs)

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def console(self):
        return read_text(self.path("console"))

    @property
    def said(self):
        """What the guest's first process reported: a list of lines."""
        return read_text(self.path("status")).split("\n")[:-1]

    @property
    def booted(self):
        return "up" in [line.strip() for line in self.said]

    @property
    def exit_status(self):
        """The command's; None when the guest never got to report it."""
        for line in self.said:
            if line.startswith("exit "):
                return int(line.split()[1])
        return None

    def boot(self, timeout_s):
        """Starts the guest; whether the command was started in it in time."""
        self._make_disk("scratch")
        self._make_disk("output", file_system=False)
        command = self._qemu_command()
        if self._shape.transport == "virtiofs":
            command += self._start_file_server()
        self._qemu = self._start("qemu", command)
        self._wait(lambda: self.booted, timeout_s)
        return self.booted

    def follow(self, timeout_s, on_output):
        """Passes on the command's output until QEMU ends; whether the command's time ran out.

        The guest itself ends the command after `timeout_s`; QEMU is ended when even that did not work.
        """
        began = time.monotonic()
        with open(self.path("output.serial"), "rb") as output:
            def pump():
                on_output(output.read())
                return self.exit_status is not None
            reported = self._wait(pump, timeout_s + GRACE_S)
            overdue = time.monotonic() - began >= timeout_s
            if reported:
                self._wait(lambda: False, POWER_OFF_S)
            self.stop()
            pump()
        return overdue and (not reported or self.exit_status in (124, 128 + signal.SIGKILL))

    def why_not_booted(self):
        failed = [line for line in self.said if line.startswith("failed ")]
        lines = read_text(self.path("qemu.log")).strip().splitlines()
        last = self.console.strip().splitlines()[-1:]
        return "; ".join(failed or lines[-1:] or last) or "it said nothing"

    def stop(self):
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes = []

    def _wait(self, condition, timeout_s):
        """Whether `condition` came true while QEMU ran, before the time was over."""
        deadline = time.monotonic() + timeout_s
        while True:
            running = self._qemu.poll() is None
            if condition():
                return True
            if not running or time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)

    def _start(self, name, command, **options):
        with open(self.path(name + ".log"), "wb") as log:
            process = subprocess.Popen(ENDS_WITH_US + command, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, **options)
        self._processes.append(process)
        return process

    def _make_disk(self, name, file_system=True):
        path = self.path(name + ".disk")
        with open(path, "wb") as file:
            file.truncate(self._shape.disk_gib << 30)
        if file_system:
            lazily = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
            subprocess.run(["mkfs.ext4", "-q", "-F", "-E", lazily, path], check=True)

    def _start_file_server(self):
        """The host's root for virtiofs, read-only whatever the guest may try; returns QEMU's options."""
        server = find_virtiofsd()
        path = self.path("virtiofsd.socket")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(path)
        listening.listen(1)
        if "libexec" in server:  # the one in Rust, from Debian 13 on
            options = "--shared-dir / --cache always --sandbox chroot"
        else:
            options = "-o source=/ -o cache=always -o sandbox=chroot"
        script = f"mount -o remount,bind,ro / && exec {server} --fd={listening.fileno()} {options}"
        self._start("virtiofsd", ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                    pass_fds=[listening.fileno()])
        listening.close()
        return [
            "-object", f"memory-backend-memfd,id=memory,size={self._shape.memory_mib}M,share=on",
            "-numa", "node,memdev=memory",
            "-chardev", f"socket,id=files,path={path}",
            "-device", "vhost-user-fs-pci,chardev=files,tag=hostroot",
        ]

    def _qemu_command(self):
        shape = self._shape
        arguments = KERNEL_ARGUMENTS + shape.kernel_arguments
        if shape.possible_cpus > shape.cpus:
            arguments = arguments + [f"maxcpus={shape.cpus}"]
        if self.accelerator == "tcg":
            arguments = arguments + EMULATED_KERNEL_ARGUMENTS
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                   "-no-reboot", *ACCELERATORS[self.accelerator]]
        command += [
            "-smp", str(max(shape.cpus, shape.possible_cpus)),
            "-m", f"{shape.memory_mib}M",
            "-kernel", os.path.join(self._kernel.directory, "vmlinuz"),
            "-initrd", self.path("initramfs"),
            "-append", " ".join(arguments),
            "-serial", "file:" + self.path("console"),
            "-serial", "file:" + self.path("output.serial"),
            "-serial", "file:" + self.path("status"),
        ]
        for disk in ("scratch", "output"):
            command += ["-drive", f"file={self.path(disk + '.disk')},if=virtio,format=raw,cache=unsafe"]
        if shape.transport == "9p":
            command += [
                "-fsdev", "local,id=files,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=files,mount_tag=hostroot",
            ]
        return command + shape.qemu_arguments
