#!/usr/bin/env python3
"""Counts what `bazel test` did and prints `N passed, N failed, N skipped` as the last line.

Usage: tools/test_report.py DIRECTORY

DIRECTORY holds, for each run NAME, its build events (NAME.json) and exit status (NAME.status). A
GoogleTest binary counts by its cases, any other test as one. Skipped are GoogleTest's skipped cases
and tests that exit with 77; their reasons are printed, as are the names of failures. A test that
could not be built, timed out or was never started counts as failed. The exit status is 0 when
nothing failed.
"""
import collections
import json
import os
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

SKIP_STATUS = 77
# What bazel test exits with when every test has an outcome: all passed, or some failed.
ORDERLY_STATUSES = (0, 3)

# What Bazel writes in front of a test's own output.
PREAMBLE = re.compile(r"exec \$\{PAGER|Executing tests from|-+$")

Case = collections.namedtuple("Case", "name outcome reason")


def last_words(text, count=1):
    """The last lines that say something, without colour codes."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.splitlines()]
    return " | ".join([line for line in lines if line and not PREAMBLE.match(line)][-count:])[:300]


def path_of(uri):
    return urllib.parse.unquote(uri[len("file://"):]) if uri.startswith("file://") else None


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def skip_reason(log):
    """What a script said before it exited with the status for "skipped"."""
    said = re.findall(r"^\s*skip(?:ped)?\b:?\s*(.*)$", log, re.M | re.I)
    return said[-1][:300] if said else last_words(log)


def google_cases(root):
    """The cases of a GoogleTest report; None when `root` is another kind of report."""
    # Bazel's own report, for tests that write none, has the same tags but no totals.
    if root.tag != "testsuites" or root.get("tests") is None:
        return None
    cases = []
    for case in root.findall("testsuite/testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        failure = case.find("failure")
        skipped = case.find("skipped")
        if failure is not None:
            cases.append(Case(name, "failed", last_words(failure.get("message", ""), 3)))
        elif skipped is not None:
            cases.append(Case(name, "skipped", last_words(skipped.get("message", ""))))
        elif case.get("status") == "notrun":
            cases.append(Case(name, "skipped", "disabled"))
        else:
            cases.append(Case(name, "passed", ""))
    return cases


def cases_of(label, result):
    """The cases of one run of one test target."""
    outputs = {entry["name"]: path_of(entry.get("uri", ""))
               for entry in result.get("testActionOutput", [])}
    status = result.get("status", "NO_STATUS")
    log = read_text(outputs.get("test.log") or "")
    cases = None
    try:
        cases = google_cases(ElementTree.parse(outputs["test.xml"]).getroot())
    except (KeyError, TypeError, OSError, ElementTree.ParseError):
        pass
    if status == "PASSED":
        return cases or [Case("", "passed", "")]
    if status == "FAILED":
        if cases and any(case.outcome == "failed" for case in cases):
            return cases
        # Bazel puts the exit status of what is not GoogleTest into the report that it writes itself.
        report = read_text(outputs.get("test.xml") or "")
        if not cases and f"exited with error code {SKIP_STATUS}" in report:
            return [Case("", "skipped", skip_reason(log))]
        crash = Case("", "failed", last_words(log, 3) or "no output")
        return [case for case in cases or [] if case.outcome != "failed"] + [crash]
    if status == "NO_STATUS":
        return [Case("", "failed", "was not run to its end before the deadline")]
    return [Case("", "failed", f"{status.lower().replace('_', ' ')}: {last_words(log)}")]


def read_run(path):
    """{label: [Case]} of one `bazel test`; every target that was asked for is in it."""
    results = {}
    unbuilt = {}
    tests = set()
    for line in read_text(path).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of a build that was cut off
        ident = event.get("id", {})
        if "testResult" in ident:
            # Attempts of one target follow each other; the last one counts.
            results[ident["testResult"]["label"]] = event.get("testResult", {})
        elif "targetConfigured" in ident and "configured" in event:
            if event["configured"].get("targetKind", "").endswith("_test rule"):
                tests.add(ident["targetConfigured"]["label"])
            elif "aborted" in event:
                unbuilt[ident["targetConfigured"]["label"]] = event["aborted"]
        elif "aborted" in event:
            for kind in ("targetCompleted", "targetConfigured", "configuredLabel", "pattern",
                         "unconfiguredLabel"):
                if kind in ident:
                    label = ident[kind].get("label") or " ".join(ident[kind].get("pattern", []))
                    unbuilt[label] = event["aborted"].get("description", "")
        elif "targetCompleted" in ident and not event.get("completed", {}).get("success", False):
            unbuilt.setdefault(ident["targetCompleted"]["label"], "did not build")
    cases = {label: cases_of(label, result) for label, result in results.items()}
    for label in tests - set(cases):
        cases[label] = [Case("", "failed", last_words(unbuilt.get(label, "")) or "was not run")]
    for label, why in unbuilt.items():
        # A missing file is named again by each test that needs it.
        if label not in cases and not label.endswith((".cc", ".h", ".sh", ".py")):
            cases[label] = [Case("", "failed", last_words(why, 2) or "did not build")]
    return cases


def main():
    directory = sys.argv[1]
    counts = collections.Counter()
    lines = collections.defaultdict(list)
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".status"):
            continue
        run = name[:-len(".status")]
        status = int(read_text(os.path.join(directory, name)))
        cases = read_run(os.path.join(directory, run + ".json"))
        here = collections.Counter(case.outcome for group in cases.values() for case in group)
        # Bazel itself failed before it could say which test it was.
        if status not in ORDERLY_STATUSES and not here["failed"]:
            cases["bazel"] = [Case("", "failed", f"bazel test ended with status {status}")]
            here["failed"] += 1
        counts += here
        print(f"{run:14} {here['passed']} passed, {here['failed']} failed, {here['skipped']} skipped")
        for label in sorted(cases):
            for case in cases[label]:
                if case.outcome != "passed":
                    lines[case.outcome].append(
                        f"{case.outcome.upper()}: {run}: {label} {case.name}: {case.reason}")
    for outcome in ("skipped", "failed"):
        for line in lines[outcome]:
            print(re.sub(r" +:", ":", line))
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
