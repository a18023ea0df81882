"""The rows of the benchmark: what is done, and how often.

A row runs on one subject for one repetition and returns a dictionary with at least `per_second`,
`operations` and `seconds`.
"""

import json
import os
import subprocess
import time

MIB = 1 << 20
DATA_FILE_BYTES = 256 * MIB
WRITE_FILE_BYTES = 64 * MIB
TREE_DIRECTORIES = 60
TREE_FILES_EACH = 20
GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench@localhost",
    "GIT_COMMITTER_NAME": "bench", "GIT_COMMITTER_EMAIL": "bench@localhost",
}


class Row:
    """A workload of the client program.

    `fresh`: the work is done in a directory that no mount has seen, and which is removed after it.
    """

    def __init__(self, name, workload, *arguments, fresh=False):
        self.name = name
        self.workload = workload
        self.arguments = list(arguments)
        self.fresh = fresh

    def run(self, place, subject, options, cpu):
        command = [options.client, self.workload, *self.arguments, f"--ms={options.ms}"]
        if cpu is not None:
            command.append(f"--cpu={cpu}")
        if self.fresh:
            name = place.make_fresh()
            command += [f"--dir={subject.path}/{name}", f"--native={place.source}/{name}"]
        else:
            command.append(f"--dir={subject.path}")
            # The backing pages stay in memory for every subject; what is cold is the mount's cache.
            if subject.name == "native":
                command.append("--keep-cache")
        done = run_bounded(command, options.ms / 1000 + 30)
        return json.loads(done.stdout)


class GitStatus:
    name = "git-status"
    fresh = False

    def run(self, place, subject, options, cpu):
        # An inode number may differ from the one in the index; sizes and times must not.
        command = ["git", "-C", f"{subject.path}/repo", "-c", "core.checkStat=minimal",
                   "-c", "safe.directory=*", "status", "--porcelain"]
        # Warm, as for somebody who works in the tree: what is cold is measured by the rows above.
        timed(command, options, repeat=False)
        return timed(pinned(command, cpu), options, expect_silence=True)


class Untar:
    name = "untar"
    fresh = True

    def run(self, place, subject, options, cpu):
        name = place.make_fresh()
        command = ["tar", "-xf", place.archive, "-C", f"{subject.path}/{name}"]
        return timed(pinned(command, cpu), options, repeat=False)


ALL_ROWS = (
    Row("read-4k", "read", "--file=data"),
    Row("read-4k-4jobs", "read", "--file=data", "--jobs=4"),
    Row("read-4k-depth32", "read", "--file=data", "--depth=32"),
    Row("read-1m", "read", "--file=data", f"--block={MIB}"),
    Row("write-1m", "directwrite", "--file=written", f"--block={MIB}"),
    Row("coldread-1m", "coldread", "--file=data", f"--block={MIB}"),
    Row("bufwrite-1m-fsync", "write", "--file=written", f"--block={MIB}"),
    Row("randwrite-4k", "randwrite", "--file=written"),
    Row("create", "create", "--files=6000", fresh=True),
    Row("stat-cold", "coldstat", "--files=6000", fresh=True),
    Row("open-close", "open", "--file=data"),
    Row("unlink", "unlink", "--files=6000", fresh=True),
    Row("readdir-stat", "list", "--files=8000", fresh=True),
    GitStatus(),
    Untar(),
)


class Timeout(Exception):
    pass


def run_bounded(command, seconds, **more):
    """Runs a client, and never waits for one that its file system keeps."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True, **more)
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raise Timeout(f"{command[0]} did not end within {seconds:.0f} s") from None
    if process.returncode != 0:
        raise RuntimeError(f"{os.path.basename(command[0])}: {errors.strip() or process.returncode}")
    return subprocess.CompletedProcess(command, 0, output, errors)


def pinned(command, cpu):
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


def timed(command, options, repeat=True, expect_silence=False):
    """Runs a program once, or again and again until the time of a measurement is over."""
    environment = dict(os.environ, **GIT_ENVIRONMENT)
    times = []
    deadline = time.perf_counter() + options.ms / 1000
    while True:
        began = time.perf_counter()
        done = run_bounded(command, 60, env=environment)
        times.append(time.perf_counter() - began)
        if expect_silence and done.stdout:
            raise RuntimeError(f"{command[0]} reports differences: {done.stdout.splitlines()[0]}")
        if not repeat or time.perf_counter() >= deadline:
            break
    times.sort()
    return {
        "operations": len(times), "bytes": 0, "seconds": sum(times),
        "per_second": len(times) / sum(times),
        "p50_ns": int(times[len(times) // 2] * 1e9), "p99_ns": int(times[-1] * 1e9),
    }


class Place:
    """The backing directory with everything that the rows work on."""

    def __init__(self, source, scratch):
        self.source = source
        self.archive = f"{scratch}/tree.tar"
        self._fresh = 0
        self._make_data()
        self._make_tree(f"{scratch}/tree")
        if not os.path.exists(self.archive):
            run_bounded(["tar", "-cf", self.archive, "-C", f"{scratch}/tree", "."], 60)
        self._make_repository(f"{scratch}/tree")

    def _make_data(self):
        block = os.urandom(MIB)
        for name, size in (("data", DATA_FILE_BYTES), ("written", WRITE_FILE_BYTES)):
            with open(f"{self.source}/{name}", "wb") as file:
                for _ in range(size // MIB):
                    file.write(block)
                os.fsync(file.fileno())

    @staticmethod
    def _make_tree(path):
        if os.path.exists(path):
            return
        os.mkdir(path)
        for d in range(TREE_DIRECTORIES):
            os.mkdir(f"{path}/d{d}")
            for f in range(TREE_FILES_EACH):
                line = f"file {f} of directory {d}\n"
                size = 1024 << (f % 6)
                with open(f"{path}/d{d}/f{f}", "w") as file:
                    file.write(line * (size // len(line)))
                # Files as new as git's index would have their contents read by every status.
                os.utime(f"{path}/d{d}/f{f}", (10**9, 10**9))

    def _make_repository(self, tree):
        repository = f"{self.source}/repo"
        run_bounded(["cp", "-a", tree, repository], 60)
        environment = dict(os.environ, **GIT_ENVIRONMENT)
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "tree"]):
            run_bounded(["git", "-C", repository, *arguments], 60, env=environment)

    def make_fresh(self):
        self._fresh += 1
        name = f"fresh{self._fresh}"
        os.mkdir(f"{self.source}/{name}")
        return name

    def remove_fresh(self):
        """Behind the mounts' backs, and makes them forget what they know of it: a descriptor each."""
        run_bounded(["rm", "-rf", f"{self.source}/fresh{self._fresh}"], 60)
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("2\n")
