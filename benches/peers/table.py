"""The report as Markdown."""

import statistics

# The first letters of the queries that are ours, not the shared ones.
FURTHER = "jsolen"

# CPU milliseconds that a query of L over both replicas took in Thanos 0.42 (store and querier), from
# the shared baselines: same data, same queries, same kind of machine.
THANOS_L = {"d01_sum_rate": 1734, "d02_histq": 3740, "d06_increase": 1220}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def line(row):
    """A row on the terminal while the rest is measured."""
    if "failed" in row:
        return f"{row['query']:18} failed: {row['failed'][:160]}"
    cells = ", ".join(f"{name} {s['median_ms']:.1f} ms, {s['cpu_ms']:.1f} CPU" for name, s in row["servers"].items())
    return f"{row['query']:18} {cells}{', DIFFERS ' + row['differs'] if row['differs'] else ''}"


def megabytes(sizes):
    return f"{sum(sizes.values()) / 1e6:,.1f}"


def ratio(a, b):
    return f"{a / b:.2f}" if b else "–"


def conversion(report):
    yield "| blocks | samples | CPU s | M samples a CPU-second | peak RSS MiB | TSDB MB | bucket MB | ratio | bytes a sample |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for figures in report["sets"]:
        for title, key in [("all", "conversion"), ("one replica", "conversion_of_one")]:
            c = figures[key]
            tsdb, bucket = sum(c["tsdb"].values()), sum(c["bucket"].values())
            yield (
                f"| {figures['set']}, {title}, {c['blocks']} | {c['samples']:,} | {c['cpu_s']:.1f} "
                f"| {c['samples'] / c['cpu_s'] / 1e6:.1f} | {c['rss_mib']:.0f} | {megabytes(c['tsdb'])} "
                f"| {megabytes(c['bucket'])} | {ratio(bucket, tsdb)} | {bucket / c['samples']:.2f} |"
            )
    if "capture" in report:
        c = report["capture"]
        tsdb, bucket = sum(c["tsdb"].values()), sum(c["bucket"].values())
        yield (
            f"| real exporters at 1 s, {c['series']:,} series | {c['samples']:,} | | | | {megabytes(c['tsdb'])} "
            f"| {megabytes(c['bucket'])} | {ratio(bucket, tsdb)} | {bucket / c['samples']:.2f} |"
        )


def files(report):
    """Bytes a sample of each kind of file."""
    yield "| set | " + "file | MB | bytes a sample |"
    yield "|---|---|--:|--:|"
    rows = [(f["set"], f["conversion"]) for f in report["sets"]]
    if "capture" in report:
        rows.append(("capture", report["capture"]))
    for name, c in rows:
        for file, size in sorted(c["bucket"].items(), key=lambda item: -item[1]):
            yield f"| {name} | {file} | {size / 1e6:,.2f} | {size / c['samples']:.3f} |"


def of_a_set(figures):
    names = list(figures["servers"])
    two = "Stoa 2 replicas" in names
    header = ["query", "series", "points", "checksum", "runs"]
    for name in names:
        header += [f"{name}, median ms", "CPU ms"]
    header += ["Stoa / Prometheus, CPU"]
    if two:
        header += ["two replicas / one, CPU"]
    if two and figures["set"] == "L":
        header += ["two replicas / Thanos, CPU"]
    yield "| " + " | ".join(header) + " |"
    yield "|---|" + "--:|" * (len(header) - 1)
    for row in figures["queries"]:
        if "failed" in row:
            yield f"| {row['query']} | failed: {row['failed'][:100]} |" + " |" * (len(header) - 2)
            continue
        same = "" if row["differs"] is None else " **differs**"
        cells = [row["query"], str(row["series"]), f"{row['points']:,}", f"`{row['checksum']}`{same}", str(row["repetitions"])]
        for name in names:
            cells += [number(row["servers"][name]["median_ms"]), number(row["servers"][name]["cpu_ms"])]
        cells += [ratio(row["servers"]["Stoa"]["cpu_ms"], row["servers"]["Prometheus"]["cpu_ms"])]
        if two:
            cells += [ratio(row["servers"]["Stoa 2 replicas"]["cpu_ms"], row["servers"]["Stoa"]["cpu_ms"])]
        if two and figures["set"] == "L":
            thanos = THANOS_L.get(row["query"])
            cells += [ratio(row["servers"]["Stoa 2 replicas"]["cpu_ms"], thanos) if thanos else ""]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield summary(figures["queries"])
    yield ""
    yield "| server | ready after ms | RSS at start MiB | peak RSS MiB |"
    yield "|---|--:|--:|--:|"
    for name, s in figures["servers"].items():
        yield f"| {name} | {s['ready_ms']:.0f} | {s['rss_at_start_mib']:.0f} | {s['peak_rss_mib']:.0f} |"


def summary(rows):
    """How much less CPU Stoa takes than Prometheus, over the further queries and over all."""
    further = [row for row in rows if row["query"][0] in FURTHER]
    parts = []
    for title, some in [("all queries", rows), ("the further ones", further)]:
        faster = sorted(
            r["servers"]["Prometheus"]["cpu_ms"] / max(r["servers"]["Stoa"]["cpu_ms"], 0.01) for r in some if "servers" in r and r["servers"]
        )
        if faster:
            parts.append(f"{title}: {statistics.median(faster):.1f} times at the median, {faster[0]:.2f} at least")
    return f"Prometheus' CPU by Stoa's, one replica; {'; '.join(parts)}."


def markdown(report):
    out = [
        f"Measured {report['date']} at {report['commit']}: {report['machine']}; load {report['load']:.1f} at the end.",
        "",
        "### Conversion",
        "",
        *conversion(report),
        "",
        *files(report),
    ]
    for figures in report["sets"]:
        c = figures["conversion"]
        out += ["", f"### Set {figures['set']}: {c['samples']:,} samples, {c['blocks']} blocks", "", *of_a_set(figures)]
    return "\n".join(out) + "\n"
