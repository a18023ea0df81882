"""Where should ring workers run? Compares placements of the null ring server, and prints a table.

    floor.py --server=BINARY --client=BINARY [--settings=NAME,...] [--loads=NAME,...]
             [--reps=N] [--ms=N] [--json=FILE]

Every setting is mounted at once; loads are taken in turn in rotating order, so that a disturbance of
the machine falls on all settings alike. Cells are medians. Needs root; works in its own mount
namespace, and aborts every connection it made when it ends.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import sandbox

SETTINGS = {
    "default": [],
    "coop": ["--ring=coop"],
    "plain": ["--ring=plain"],
    "unpinned": ["--unpinned"],
    "spin-20us": ["--spin-us=20"],
    "spin-50us": ["--spin-us=50"],
    "spill-4": ["--spill=4"],
    "share-10us": ["--share-us=10"],
    "share-10us-32": ["--share-us=10", "--entries=32"],
    "entries-1": ["--entries=1"],
    "entries-32": ["--entries=32"],
    "entries-32-spill": ["--entries=32", "--spill=16"],
    "readahead-4m": ["--readahead-kb=4096"],
    "readahead-4m-share": ["--readahead-kb=4096", "--share-us=10"],
}

LOADS = {
    "read free": ["read"],
    "read pinned": ["read", "--cpu=0"],
    "read 4 jobs": ["read", "--jobs=4"],
    "read depth 32": ["read", "--depth=32"],
    "fstat free": ["fstat"],
    "fstat pinned": ["fstat", "--cpu=0"],
    "stat free": ["stat"],
    "stat 4 jobs": ["stat", "--jobs=4"],
    "1 MiB free": ["read", "--block=1048576"],
    "1 MiB pinned": ["read", "--block=1048576", "--cpu=0"],
    "1 MiB cold": ["coldread", "--block=1048576"],
    "128 KiB cold": ["coldread", "--block=131072"],
    "1 MiB write": ["write", "--block=1048576"],
    "4 KiB write": ["write"],
    "1 MiB depth 8": ["read", "--block=1048576", "--depth=8"],
}


class Server:
    def __init__(self, binary, arguments, mountpoint):
        self.mountpoint = mountpoint
        os.mkdir(mountpoint)
        self.process = subprocess.Popen(
            [binary, *arguments, mountpoint], stdout=subprocess.PIPE, text=True
        )
        if not self.process.stdout.readline().startswith("ready"):
            raise RuntimeError(f"{binary} {' '.join(arguments)} did not mount")
        # Served from the ring, not the device, from here on; its number is needed to abort it.
        self.connection = os.minor(os.stat(mountpoint).st_dev)

    def end(self):
        self.process.terminate()
        try:
            output, _ = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            sandbox.abort_connection(self.connection)
            self.process.kill()
            output, _ = self.process.communicate(timeout=10)
        return json.loads(output.splitlines()[-1]) if output.strip() else {}


def run_once(client, load, server, ms):
    before = sandbox.cpu_seconds(server.process.pid)
    done = subprocess.run(
        [client, *load, f"--dir={server.mountpoint}", f"--ms={ms}"],
        check=True, stdout=subprocess.PIPE, text=True, timeout=ms / 1000 + 20,
    )
    result = json.loads(done.stdout)
    used = sandbox.cpu_seconds(server.process.pid) - before
    result["server_cpu_us_per_operation"] = used * 1e6 / max(1, result["operations"])
    return result


def chosen(table, names):
    if not names:
        return dict(table)
    unknown = [name for name in names.split(",") if name not in table]
    if unknown:
        sys.exit(f"floor.py: unknown: {', '.join(unknown)}; known: {', '.join(table)}")
    return {name: table[name] for name in names.split(",")}


def print_table(results, settings, loads):
    """Thousands of operations per second, relative spread, and microseconds of server CPU each."""
    width = max(map(len, settings)) + 1
    print(" " * width + "".join(f"{load:>22}" for load in loads))
    for setting in settings:
        line = f"{setting:<{width}}"
        for load in loads:
            runs = results[setting][load]
            rates = sorted(run["per_second"] / 1000 for run in runs)
            cost = statistics.median(run["server_cpu_us_per_operation"] for run in runs)
            median = statistics.median(rates)
            spread = (rates[-1] - rates[0]) / median * 50
            line += f"{median:>9.1f}k ±{spread:>2.0f}% {cost:>5.1f}us"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--settings", default="")
    parser.add_argument("--loads", default="")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--ms", type=int, default=300)
    parser.add_argument("--file", default="", help="reads are done from this file")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    settings = chosen(SETTINGS, options.settings)
    loads = chosen(LOADS, options.loads)

    sandbox.enter_private_namespace()
    sandbox.mount_connections()
    if not sandbox.enable_ring():
        sys.exit("floor.py: this kernel has no FUSE over io_uring (Linux 6.14 or later has)")

    base = tempfile.mkdtemp(prefix="shuntfs-floor-")
    extra = [f"--file={options.file}"] if options.file else []
    servers = {}
    results = {setting: {load: [] for load in loads} for setting in settings}
    counters = {}
    try:
        for number, (name, arguments) in enumerate(settings.items()):
            servers[name] = Server(options.server, arguments + extra, f"{base}/{number}")
        order = list(settings)
        for rep in range(options.reps):
            for load, arguments in loads.items():
                for name in order:
                    run = run_once(options.client, arguments, servers[name], options.ms)
                    results[name][load].append(run)
                order = order[1:] + order[:1]
    finally:
        for name, server in servers.items():
            counters[name] = server.end()
        shutil.rmtree(base, ignore_errors=True)
    print_table(results, settings, loads)
    if options.json:
        raw = {"results": results, "counters": counters}
        pathlib.Path(options.json).write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
