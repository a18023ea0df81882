#!/usr/bin/env python3
"""Reads metrics in the text format of Prometheus, strictly.

Usage: exposition.py PAGE [DASHBOARD]

Checks that every line of PAGE is well formed, that every metric has HELP and TYPE before its first
sample, a name with its unit, and samples that fit its type; that no sample is there twice; and that
histograms add up. With DASHBOARD, a Grafana dashboard, also that every metric that it asks for is
there. Prints how much it looked at. Exit status: 0 all is well, 1 something is not.
"""
import json
import math
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)")
UNITS = ("_seconds", "_bytes", "_total")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


class Offence(Exception):
    pass


def family_of(name, families):
    for suffix in ("", "_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix) if suffix else name
        kind = families.get(base, {}).get("type")
        if kind and (suffix in SUFFIXES.get(kind, ("",))):
            return base
    raise Offence(f"{name} has no TYPE that allows it")


def check_name(family, kind):
    if not family.startswith("shuntfs_"):
        raise Offence(f"{family} is not named after us")
    if (kind == "counter") != family.endswith("_total"):
        raise Offence(f"{family} is a {kind}: counters end in _total, and nothing else does")
    if re.search(r"(milli|micro|nano)second|_(ms|us|ns|kb|mb)(_|$)", family):
        raise Offence(f"{family} is not in base units")
    if kind == "histogram" and not family.endswith(UNITS):
        raise Offence(f"{family} has no unit")


def parse(text):
    """family -> {help, type, samples: {(name, labels): value}}"""
    families = {}
    if not text.endswith("\n"):
        raise Offence("the last line does not end")
    for line in text.splitlines():
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment:
            key, name, value = comment.groups()
            family = families.setdefault(name, {"samples": {}})
            if key.lower() in family or family["samples"]:
                raise Offence(f"{key} of {name} is late or there twice")
            if key == "TYPE":
                if value not in ("counter", "gauge", "histogram"):
                    raise Offence(f"{name} is a {value}")
                check_name(name, value)
            family[key.lower()] = value
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample:
            raise Offence(f"no sample: {line!r}")
        name, labels, value = sample.groups()
        family = families[family_of(name, families)]
        if "help" not in family:
            raise Offence(f"{name} has no HELP")
        key = (name, tuple(sorted(re.findall(LABEL, labels or ""))))
        if key in family["samples"]:
            raise Offence(f"{name}{{{labels}}} is there twice")
        number = float(value.replace("+Inf", "inf"))
        if math.isnan(number) or (family["type"] == "counter" and number < 0):
            raise Offence(f"{line}: impossible")
        family["samples"][key] = number
    return families


def check_histogram(family, samples):
    series = {}
    for (name, labels), value in samples.items():
        bounds = [label for label in labels if label.startswith('le="')]
        rest = tuple(label for label in labels if label not in bounds)
        entry = series.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            entry["buckets"].append((float(bounds[0][4:-1].replace("+Inf", "inf")), value))
        else:
            entry[name.removeprefix(family)] = value
    for labels, entry in series.items():
        buckets = entry["buckets"]
        if buckets != sorted(buckets) or buckets != sorted(buckets, key=lambda bucket: bucket[1]):
            raise Offence(f"the buckets of {family}{labels} do not grow")
        if buckets[-1] != (math.inf, entry["_count"]):
            raise Offence(f"{family}{labels}: {buckets[-1]} is not its count, {entry['_count']}")
        if entry["_count"] > 0 and entry["_sum"] <= 0:
            raise Offence(f"{family}{labels}: the sum is {entry['_sum']}")


def expressions(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query") and isinstance(inner, str):
                yield inner
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def check_dashboard(path, names):
    """Returns how many metrics it asks for."""
    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    if len(set(ids)) != len(ids) or not all(panel.get("title") for panel in panels):
        raise Offence("panels without an id of their own or without a title")
    asked = set()
    for expression in expressions(dashboard):
        asked |= set(re.findall(r"\bshuntfs_\w+", expression))
    for panel in panels:
        if panel["type"] != "row" and not any(list(expressions(panel))):
            raise Offence(f"the panel {panel['title']} asks for nothing")
    missing = asked - names
    if missing:
        raise Offence(f"the dashboard asks for what is not there: {sorted(missing)}")
    return len(asked)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        families = parse(file.read())
    names = set()
    for family, content in families.items():
        if "type" not in content or "help" not in content:
            raise Offence(f"{family} lacks HELP or TYPE")
        if content["type"] == "histogram":
            check_histogram(family, content["samples"])
        # What a mount has none of, as a ring's workers in device mode, is declared all the same.
        names |= {family + suffix for suffix in SUFFIXES.get(content["type"], ("",))}
    if not names:
        raise Offence("no metrics")
    asked = check_dashboard(sys.argv[2], names) if len(sys.argv) > 2 else 0
    samples = sum(len(content["samples"]) for content in families.values())
    print(f"{len(families)} metrics, {samples} samples, {asked} names in the dashboard")


if __name__ == "__main__":
    try:
        main()
    except Offence as offence:
        sys.exit(str(offence))
