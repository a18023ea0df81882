"""Tables from the raw results, and the one line that says where shuntfs is worst."""

import statistics

from subjects import OURS


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def ratios(runs, base):
    """Repetition by repetition, so that what disturbed both at once cancels out."""
    return [
        run["per_second"] / other["per_second"] if run and other else None
        for run, other in zip(runs, base)
    ]


def best_peer(by_subject):
    """Name of the peer with the highest median rate, or None."""
    rates = {
        name: median([run["per_second"] if run else None for run in runs])
        for name, runs in by_subject.items()
        if name != "native" and name not in OURS
    }
    rates = {name: rate for name, rate in rates.items() if rate is not None}
    return max(rates, key=rates.get) if rates else None


def number(value, digits=2):
    """Short, and with three figures for the small: 0.057, 0.44, 1.25."""
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 0.1 and digits == 2 else f"{value:.{digits}f}"


def count(value):
    if value is None:
        return "-"
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.1f}"


def print_columns(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())
    print()


def ratio_table(rows, subjects, results):
    """Also returns auto's ratio to the best peer for every row that has both."""
    others = [name for name in subjects if name != "native"]
    lines = [["ratio to native", "native/s", *others, "best peer", "auto/best"]]
    to_best = {}
    for row in rows:
        by_subject = results[row]
        native = by_subject.get("native", [])
        best = best_peer(by_subject)
        against = None
        if best and "auto" in by_subject:
            against = median(ratios(by_subject["auto"], by_subject[best]))
        if against is not None:
            to_best[row] = against
        rate = median([run["per_second"] if run else None for run in native])
        cells = [number(median(ratios(by_subject[name], native))) for name in others]
        lines.append([row, count(rate), *cells, best or "-", number(against)])
    print_columns(lines)
    return to_best


def latency_table(rows, subjects, results):
    lines = [["p50 / p99 us", *subjects]]
    for row in rows:
        cells = []
        for name in subjects:
            runs = [run for run in results[row][name] if run]
            if not runs:
                cells.append("-")
                continue
            p50, p99 = (median([run[key] for run in runs]) / 1000 for key in ("p50_ns", "p99_ns"))
            cells.append(f"{p50:.4g}/{p99:.4g}")
        lines.append([row, *cells])
    print_columns(lines)


def cpu_table(rows, subjects, results):
    others = [name for name in subjects if name != "native"]
    lines = [["server CPU us/op (s/GiB)", *others]]
    for row in rows:
        cells = []
        for name in others:
            runs = [run for run in results[row][name] if run]
            if not runs:
                cells.append("-")
                continue
            each = median([run["server_cpu_s"] * 1e6 / run["operations"] for run in runs])
            cell = f"{each:.1f}" if each < 1000 else f"{each:.0f}"
            if runs[0]["bytes"] > 0:
                gib = median([run["server_cpu_s"] * 2**30 / run["bytes"] for run in runs])
                cell += f" ({gib:.2f})"
            cells.append(cell)
        lines.append([row, *cells])
    print_columns(lines)


def request_table(rows, name, results):
    """What the kernel asked for, per operation of the client: what a cache could save."""
    print(f"requests per operation, {name}")
    for row in rows:
        runs = [run["requests"] for run in results[row].get(name, []) if run]
        means = {
            operation: sum(run.get(operation, 0) for run in runs) / len(runs)
            for operation in sorted({operation for run in runs for operation in run})
        }
        shown = [f"{operation} {mean:.3g}" for operation, mean in means.items() if mean >= 0.005]
        if shown:
            print(f"  {row}: {', '.join(shown)}")
    print()


def print_report(title, rows, subjects, results):
    print(f"== {title}")
    to_best = ratio_table(rows, subjects, results)
    latency_table(rows, subjects, results)
    cpu_table(rows, subjects, results)
    if "auto" in subjects:
        request_table(rows, "auto", results)
    return to_best
