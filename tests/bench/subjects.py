"""The file systems that are compared: the backing directory itself, shuntfs in its modes, the peers.

All of them show the same directory. A subject that stops answering is aborted and left out from there on.
"""

import json
import os
import shutil
import subprocess
import time

import sandbox

MOUNT_DEADLINE_S = 15
END_DEADLINE_S = 10

OURS = ("auto", "per-entry", "device")


def known_subjects(shuntfs, libfuse, ring):
    """Name -> command with SRC and MNT to be filled in; None for the native file system."""
    subjects = {"native": None}
    for mode in OURS:
        subjects[mode] = [shuntfs, "mount", "-f", f"--data-path={mode}", "SRC", "MNT"]
    common = "allow_other,default_permissions"
    # Not --multithreaded: it died (1.14.7) of files that went away behind its back.
    subjects["bindfs"] = ["bindfs", "-f", "-o", "allow_other", "SRC", "MNT"]
    subjects["mergerfs"] = [
        "mergerfs", "-f", "-o", "allow_other,use_ino,minfreespace=0,category.create=ff", "SRC", "MNT",
    ]
    hp = f"{libfuse}/passthrough_hp"
    ll = f"{libfuse}/passthrough_ll"
    # Kernel passthrough would take the server out of the comparison.
    hp_flags = ["--foreground", "--nopassthrough"]
    subjects["hp"] = [hp, *hp_flags, "-o", common, "SRC", "MNT"]
    subjects["ll"] = [ll, "-f", "-o", f"{common},source=SRC", "MNT"]
    if ring:
        subjects["hp-ring"] = [hp, *hp_flags, "-o", f"{common},io_uring", "SRC", "MNT"]
        subjects["ll-ring"] = [ll, "-f", "-o", f"{common},io_uring,source=SRC", "MNT"]
    return subjects


class Subject:
    """One of the file systems, mounted. Owns its server process and its mount."""

    def __init__(self, name, command, source, mountpoint, log_path):
        self.name = name
        self.broken = None
        self.process = None
        self.connection = None
        self.path = source if command is None else mountpoint
        if command is None:
            return
        os.mkdir(mountpoint)
        self._program = command[0]
        command = [word.replace("SRC", source).replace("MNT", mountpoint) for word in command]
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._await_mount()

    def _await_mount(self):
        deadline = time.monotonic() + MOUNT_DEADLINE_S
        while (minor := sandbox.mount_minor(self.path)) is None:
            if self.process.poll() is not None:
                self.broken = f"did not mount, exit code {self.process.returncode}: {self.last_words()}"
                return
            if time.monotonic() > deadline:
                self.process.kill()
                self.broken = f"did not mount within {MOUNT_DEADLINE_S} s: {self.last_words()}"
                return
            time.sleep(0.01)
        self.connection = minor
        # The first request waits for INIT, and shows that the server answers at all.
        answered = subprocess.run(["timeout", "10", "ls", self.path], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        if answered.returncode != 0:
            self.give_up("does not answer")

    def last_words(self):
        with open(self.log_path, errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def ended(self):
        return self.process is not None and self.process.poll() is not None

    def cpu_seconds(self):
        return 0.0 if self.process is None else sandbox.cpu_seconds(self.process.pid)

    def requests(self):
        """Number of requests served so far, by operation; only our own servers tell."""
        if self.name not in OURS or self.broken:
            return {}
        status = [self._program, "status", self.path, "--json"]
        try:
            done = subprocess.run(status, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
            operations = json.loads(done.stdout)["operations"]
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            return {}
        return {name: counts["count"] for name, counts in operations.items()}

    def memory_kib(self):
        """Resident memory of the server, now."""
        if self.process is None:
            return 0
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def give_up(self, reason):
        """Aborts the connection: clients stuck in it go on with an error."""
        self.broken = reason
        if self.connection is not None:
            sandbox.abort_connection(self.connection)

    def end(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.give_up("did not end on SIGTERM")
                self.process.kill()
                self.process.wait(END_DEADLINE_S)
        subprocess.run(["umount", "-l", self.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def missing_programs(subjects):
    """Names of subjects whose program is not there."""
    return [name for name, command in subjects.items() if command and not shutil.which(command[0])]
