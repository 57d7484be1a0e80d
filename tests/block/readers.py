"""Reads a block with engines that know nothing of Stoa and prints what they see as JSON.

For each engine and each metric asked for: the number of samples that are numbers, their sum, the
first and last time in ms, and the samples a namespace, joined over the table of series.
"""

import json
import math
import sys

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq


def with_duckdb(block, metric):
    samples, series = f"'{block}/samples.parquet'", f"'{block}/series.parquet'"
    count, total, first, last = duckdb.execute(
        f"""SELECT count(*), fsum(value), min(epoch_ms(ts)), max(epoch_ms(ts))
            FROM {samples} WHERE metric = ? AND NOT isnan(value)""",
        [metric],
    ).fetchone()
    namespaces = duckdb.execute(
        f"""SELECT series.l_namespace, count(*)
            FROM {samples} AS samples JOIN {series} AS series USING (series_ref)
            WHERE series.metric = ? AND NOT isnan(value) GROUP BY 1""",
        [metric],
    ).fetchall()
    return {"count": count, "sum": total, "first": first, "last": last, "namespaces": dict(namespaces)}


def with_pyarrow(block, metric):
    columns = ["series_ref", "ts", "value"]
    samples = pq.read_table(f"{block}/samples.parquet", columns=columns, filters=[("metric", "=", metric)])
    samples = samples.filter(pc.invert(pc.is_nan(samples["value"])))
    series = pq.read_table(f"{block}/series.parquet", columns=["series_ref", "l_namespace"])
    named = samples.join(series, "series_ref", join_type="inner")
    groups = named.group_by("l_namespace").aggregate([("value", "count")]).to_pylist()
    times = samples["ts"].cast("int64")
    return {
        "count": samples.num_rows,
        "sum": math.fsum(samples["value"].to_pylist()),
        "first": pc.min(times).as_py(),
        "last": pc.max(times).as_py(),
        "namespaces": {g["l_namespace"]: g["value_count"] for g in groups},
    }


def with_polars(block, metric):
    samples = pl.scan_parquet(f"{block}/samples.parquet").filter(pl.col("metric") == metric)
    samples = samples.filter(pl.col("value").is_not_nan()).collect()
    series = pl.scan_parquet(f"{block}/series.parquet").select("series_ref", "l_namespace").collect()
    groups = samples.join(series, on="series_ref").group_by("l_namespace").len()
    times = samples["ts"].dt.epoch("ms")
    return {
        "count": samples.height,
        "sum": math.fsum(samples["value"]),
        "first": times.min(),
        "last": times.max(),
        "namespaces": dict(groups.rows()),
    }


def main():
    block, metrics = sys.argv[1], sys.argv[2:]
    readers = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
    print(json.dumps({name: {m: read(block, m) for m in metrics} for name, read in readers.items()}))


main()
