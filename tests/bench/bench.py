#!/usr/bin/env python3
"""Compares shuntfs with the native file system and with other FUSE passthroughs.

Started by tools/bench, which sets up what is needed. All subjects are mounted on the same backing
directory at once; each row takes them in turn, in rotating order, so that a disturbance of the machine
falls on all alike. Needs root; works in its own mount namespace. The last line is `worst: ROW RATIO`:
the lowest ratio of auto mode to the best peer.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import report
import rows as rows_module
import sandbox
from subjects import Subject, known_subjects, missing_programs

# Of --quick, without the preparation and the end, which take a few seconds.
QUICK_LIMIT_S = 270


def parse():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--shuntfs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--client", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--libfuse", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="under 5 minutes: tmpfs, free clients")
    parser.add_argument("--rows", default="", help="names, separated by commas (all)")
    parser.add_argument("--subjects", default="", help="names, separated by commas (all)")
    parser.add_argument("--backing", choices=("tmpfs", "ext4", "both"))
    parser.add_argument("--clients", choices=("free", "pinned", "both"))
    parser.add_argument("--reps", type=int, help="repetitions")
    parser.add_argument("--ms", type=int, help="length of a measurement")
    options = parser.parse_args()
    defaults = ("tmpfs", "free", 5, 200) if options.quick else ("both", "both", 5, 500)
    for name, value in zip(("backing", "clients", "reps", "ms"), defaults):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def chosen(known, wanted, what):
    """The known names that are wanted, in their own order."""
    if not wanted:
        return list(known)
    unknown = set(wanted.split(",")) - set(known)
    if unknown:
        sys.exit(f"tools/bench: no such {what}: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in wanted.split(",")]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def backing_directory(kind, base):
    path = f"{base}/{kind}"
    os.mkdir(path)
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2G", "bench", path], check=True)
    try:
        yield path
    finally:
        if kind == "tmpfs":
            subprocess.run(["umount", "-l", path], check=False)


def measure(row, subject, place, options, cpu):
    """One repetition, or None when the subject failed; it then takes no further part."""
    if subject.broken:
        return None
    requests = subject.requests()
    before = subject.cpu_seconds()
    try:
        result = row.run(place, subject, options, cpu)
    except rows_module.Timeout as problem:
        subject.give_up(str(problem))
        say(f"{subject.name} is out: {problem}")
        return None
    except RuntimeError as problem:
        if subject.ended():
            subject.give_up(f"its server ended during {row.name}: {subject.last_words()}")
            say(f"{subject.name} is out: {subject.broken}")
        else:
            say(f"{subject.name}, {row.name}: {problem}")
        return None
    finally:
        used = subject.cpu_seconds() - before
        if row.fresh:
            place.remove_fresh()
    result["server_cpu_s"] = used
    result["requests"] = {
        name: (number - requests.get(name, 0)) / result["operations"]
        for name, number in subject.requests().items() if number > requests.get(name, 0)
    }
    return result


class Disturbance:
    """How much of the machine other processes used since this was made: the less, the better."""

    def __init__(self):
        self._began = self._read([])

    @staticmethod
    def _read(subjects):
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split()[1:9]]
        idle = fields[3] + fields[4]
        ticks = os.sysconf("SC_CLK_TCK")
        ours = sum(subject.cpu_seconds() for subject in subjects)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            ours += usage.ru_utime + usage.ru_stime
        return sum(fields) / ticks, (sum(fields) - idle) / ticks - ours

    def share(self, subjects):
        total, others = (now - then for now, then in zip(self._read(subjects), self._began))
        return max(0.0, others / total)


def run_backing(kind, base, commands, rows, options):
    """Results by placement of the clients, row and subject, in order of the repetitions."""
    placements = ["free", "pinned"] if options.clients == "both" else [options.clients]
    results = {p: {row.name: {name: [] for name in commands} for row in rows} for p in placements}
    memory = {}
    with backing_directory(kind, base) as source:
        say(f"{kind}: preparing")
        place = rows_module.Place(source, base)
        subjects = []
        try:
            for name, command in commands.items():
                mountpoint = f"{base}/{kind}-{name}"
                subject = Subject(name, command, source, mountpoint, f"{base}/{kind}-{name}.log")
                subjects.append(subject)
                if subject.broken:
                    say(f"{name} {subject.broken}")
            began = time.monotonic()
            disturbance = Disturbance()
            for rep in range(options.reps):
                passed = time.monotonic() - began
                if options.quick and rep > 0 and passed / rep * (rep + 1) > QUICK_LIMIT_S:
                    say(f"{rep} repetitions took {passed:.0f} s: no time for more")
                    break
                for placement in placements:
                    say(f"{kind}: clients {placement}, repetition {rep + 1} of {options.reps}")
                    cpu = 0 if placement == "pinned" else None
                    for row in rows:
                        for subject in subjects:
                            run = measure(row, subject, place, options, cpu)
                            results[placement][row.name][subject.name].append(run)
                        subjects.append(subjects.pop(0))
            say(f"{kind}: other processes used {disturbance.share(subjects):.0%} of the CPUs meanwhile")
            memory = {s.name: s.memory_kib() for s in subjects if s.process and not s.broken}
        finally:
            for subject in subjects:
                subject.end()
    return results, memory


def main():
    options = parse()
    by_name = {row.name: row for row in rows_module.ALL_ROWS}
    rows = [by_name[name] for name in chosen(by_name, options.rows, "row")]
    # Clients and servers alike go before whatever else the machine does.
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    sandbox.enter_private_namespace()
    sandbox.mount_connections()
    ring = sandbox.enable_ring()
    if not ring:
        say("this kernel has no FUSE over io_uring: the modes and peers that need it are left out")
    commands = known_subjects(options.shuntfs, options.libfuse, ring)
    commands = {name: commands[name] for name in chosen(commands, options.subjects, "subject")}
    for name in missing_programs(commands):
        say(f"{name} is left out: its program is missing")
        del commands[name]

    backings = ["tmpfs", "ext4"] if options.backing == "both" else [options.backing]
    raw = {
        "kernel": platform.release(), "cpus": os.cpu_count(), "options": vars(options),
        "time": datetime.datetime.now().isoformat(timespec="seconds"), "results": {}, "memory_kib": {},
    }
    base = tempfile.mkdtemp(prefix="shuntfs-bench-")
    try:
        for kind in backings:
            if kind == "ext4":
                found = subprocess.run(["stat", "-fc", "%T", base], stdout=subprocess.PIPE, text=True)
                say(f"ext4 row set: {base} lies on {found.stdout.strip()}")
            raw["results"][kind], raw["memory_kib"][kind] = run_backing(
                kind, base, commands, rows, options)
    finally:
        shutil.rmtree(base, ignore_errors=True)

    os.makedirs(options.results, exist_ok=True)
    file = pathlib.Path(options.results) / f"{raw['time'].replace(':', '')}.json"
    file.write_text(json.dumps(raw, indent=1))

    worst = None
    several = len(backings) > 1 or options.clients == "both"
    for kind, by_placement in raw["results"].items():
        for placement, results in by_placement.items():
            reps = len(next(iter(results[rows[0].name].values())))
            title = f"{kind}, clients {placement}, {reps} x {options.ms} ms"
            to_best = report.print_report(title, [row.name for row in rows], list(commands), results)
            for row, ratio in to_best.items():
                name = f"{row}/{kind}/{placement}" if several else row
                if worst is None or ratio < worst[1]:
                    worst = (name, ratio)
        resident = ", ".join(f"{n} {k / 1024:.0f}" for n, k in raw["memory_kib"][kind].items())
        print(f"resident MiB of the servers at the end: {resident}\n")
    print(f"raw results: {file}")
    print(f"worst: {worst[0]} {worst[1]:.2f}" if worst else "worst: none 0")


if __name__ == "__main__":
    main()
