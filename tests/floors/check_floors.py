#!/usr/bin/env python3
"""Checks that every file includes only from its own folder and from floors below (docs/architecture.md).

Usage: check_floors.py ROOT

Prints one line per offence. Exit status: 0 none, 1 some, 2 when ROOT holds no sources to look at.
"""
import os
import re
import sys

# Folder -> the folders it may include from, its own aside. The longest folder that fits a path counts.
BELOW = {
    "core/base": [],
    "core/sys": ["core/base"],
    "core/protocol": ["core/base"],
    "core": ["core/base", "core/sys", "core/protocol"],
    "io": ["core", "core/base", "core/sys", "core/protocol"],
    "config": ["core", "core/base", "core/sys", "core/protocol"],
    "daemon": ["config", "io", "core", "core/base", "core/sys", "core/protocol"],
}

# Folders that stand beside the floors.
NOT_THE_PRODUCT = ("tests", "tools", "docs", "systemd", "bazel")

# Headers of libraries that one place alone may know: pattern -> folder, and in how many of its
# translation units.
LIBRARIES = {
    r"liburing(/|\.h$)": ("io", None),
    r"fuse(3/|_lowlevel|_common|_opt|\.h$)": ("daemon", 1),
    r"gflags/": ("config", 1),
    r"toml\+\+/": ("config", 1),
    r"glog/": ("core/base", 1),
    r"prometheus/": ("daemon", 1),
}

# What the file system itself never does: start a thread, read a flag.
CORE_NEVER = {
    r"\bstd::j?thread\b(?!::)": "core/ starts no thread",
    r"\bpthread_create\b": "core/ starts no thread",
    r"\bDECLARE_\w+\(|\bFLAGS_\w+": "core/ reads no flag",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """The longest folder of BELOW that `path` lies in, or None."""
    fitting = [folder for folder in BELOW if path.startswith(folder + "/")]
    return max(fitting, key=len, default=None)


def sources(root):
    for top in sorted({folder.split("/")[0] for folder in BELOW}):
        for directory, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def code_of(line):
    return line.split("//")[0]


def check_file(path, lines, users):
    """Yields what is wrong with one file; notes in `users` who includes which library."""
    folder = folder_of(path)
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        match = INCLUDE.match(line)
        if match:
            quoted, header = match.group(1) == '"', match.group(2)
            target = folder_of(header)
            if quoted and header.split("/")[0] in NOT_THE_PRODUCT:
                yield f"{where}: nothing of the product may include {header}"
            elif target not in (None, folder) and target not in BELOW[folder]:
                yield f"{where}: {folder}/ may not include {header}"
            for pattern, (home, _) in LIBRARIES.items():
                if re.match(pattern, header):
                    users.setdefault(pattern, set()).add(os.path.splitext(path)[0])
                    if not path.startswith(home + "/"):
                        yield f"{where}: only {home}/ may include <{header}>"
        if path.startswith("core/"):
            for pattern, why in CORE_NEVER.items():
                if re.search(pattern, code_of(line)):
                    yield f"{where}: {why}"


def check_tree(root):
    """(offences, number of files looked at)"""
    offences, users, count = [], {}, 0
    for path in sources(root):
        count += 1
        with open(os.path.join(root, path), encoding="utf-8") as file:
            offences += check_file(path, file.read().splitlines(), users)
    for pattern, (home, limit) in LIBRARIES.items():
        at_home = sorted(unit for unit in users.get(pattern, ()) if unit.startswith(home + "/"))
        if limit is not None and len(at_home) > limit:
            offences.append(f"{', '.join(at_home)}: one file of {home}/ alone may include this library")
    return offences, count


def main():
    offences, count = check_tree(sys.argv[1])
    for offence in offences:
        print(offence)
    print(f"{count} files, {len(offences)} offences")
    if count == 0:
        sys.exit(2)
    sys.exit(1 if offences else 0)


if __name__ == "__main__":
    main()
