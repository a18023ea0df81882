#!/usr/bin/env python3
"""Keeps a mount busy until it goes away, and remembers what the mount acknowledged.

    load.py run DIR REPORT WORKERS     works below DIR until DIR's file system stops answering
    load.py check BACKING REPORT       every acknowledged record is in the backing files

Each worker writes numbered records into a file of its own, reads older ones back, and between them
creates, renames, lists and removes files. All names are resolved from a descriptor on DIR, so that
nothing is ever written underneath a mount that has gone. A worker ends at the first error and
reports it together with the number of records that were acknowledged. One line "ready" per worker
goes to stdout once everything has worked at least once.

run exits with 1 when what was read back is wrong, or the file system fails with an error that its
end does not explain.
"""

import errno
import os
import sys

RECORD_BYTES = 4096
# What an application sees of a file system whose daemon ended: refused afterwards, cut off in
# between, and EIO where the page cache reports for it. ECANCELED is what the kernel answers for a
# request that was on its way to a ring whose owner is being killed.
END_ERRORS = {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ECANCELED}


def record(worker, number):
    return f"{worker}:{number}:".encode().ljust(64, b"-") * (RECORD_BYTES // 64)


class WrongData(Exception):
    pass


def work(top, worker):
    """Yields the number of acknowledged records after each one."""
    mine = f"load{worker}"
    try:
        os.mkdir(mine, dir_fd=top)
    except FileExistsError:
        pass
    directory = os.open(mine, os.O_RDONLY | os.O_DIRECTORY, dir_fd=top)
    data = os.open("records", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=directory)
    number = 0
    while True:
        if os.pwrite(data, record(worker, number), number * RECORD_BYTES) != RECORD_BYTES:
            raise WrongData(f"short write of record {number}")
        number += 1
        yield number
        old = number * 7919 % number
        if os.pread(data, RECORD_BYTES, old * RECORD_BYTES) != record(worker, old):
            raise WrongData(f"record {old} of worker {worker} is not what was written")
        if number % 4 == 0:
            made = os.open("made", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=directory)
            try:
                os.write(made, b"x" * 10000)
            finally:
                os.close(made)
            os.rename("made", "renamed", src_dir_fd=directory, dst_dir_fd=directory)
            if "records" not in os.listdir(directory):
                raise WrongData("the directory lost a name")
            os.unlink("renamed", dir_fd=directory)
        if number % 64 == 0:
            os.fsync(data)
        if number % 4096 == 0:
            # Keeps the files small; the check looks at the records since then.
            number = 0
            os.ftruncate(data, 0)
            yield 0


def run_worker(top, worker, report):
    acknowledged = 0
    total = 0
    status = 0
    try:
        for acknowledged in work(top, worker):
            total += 1
            if total == 12:
                os.write(1, b"ready\n")
        end = "finished"
    except OSError as error:
        end = errno.errorcode.get(error.errno, str(error.errno))
        if error.errno not in END_ERRORS:
            status = 1
    except WrongData as error:
        end = f"wrong data: {error}"
        status = 1
    with open(f"{report}.{worker}", "w", encoding="ascii") as file:
        file.write(f"{worker} {acknowledged} {end}\n")
    if status != 0:
        os.write(2, f"load worker {worker}, after {total} records: {end}\n".encode())
    os._exit(status)


def run(directory, report, workers):
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    children = []
    for worker in range(workers):
        child = os.fork()
        if child == 0:
            run_worker(top, worker, report)
        children.append(child)
    os.close(top)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def check(backing, report):
    worker = 0
    lost = 0
    while os.path.exists(f"{report}.{worker}"):
        with open(f"{report}.{worker}", encoding="ascii") as file:
            number = int(file.read().split()[1])
        with open(f"{backing}/load{worker}/records", "rb") as file:
            content = file.read()
        for index in range(number):
            if content[index * RECORD_BYTES : (index + 1) * RECORD_BYTES] != record(worker, index):
                print(f"worker {worker}: the acknowledged record {index} is lost", file=sys.stderr)
                lost += 1
        worker += 1
    if worker == 0:
        print(f"no reports {report}.*", file=sys.stderr)
    return 0 if worker > 0 and lost == 0 else 1


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "run":
        return run(arguments[1], arguments[2], int(arguments[3]))
    if len(arguments) == 3 and arguments[0] == "check":
        return check(arguments[1], arguments[2])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
