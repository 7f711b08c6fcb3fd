"""Bytes per point of the same samples: Andon's files after compaction, plain Parquet, ClickHouse, VictoriaMetrics."""

import json
import shutil
import time
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import client
from plant import BAD_STATUS, Block, Plant, plant_file
from results import Comparison, Result
from servers import Andon, VictoriaMetrics, size_of


def joined(plant: Plant, rows: int) -> Block:
    blocks = list(plant.blocks(rows))
    return Block(*(np.concatenate([getattr(block, name) for block in blocks], axis=1) for name in ("time", "value", "bad")))


def table(plant: Plant, block: Block) -> pa.Table:
    """What the samples are, without anything a store adds, sorted by series and time."""
    steps = block.time.shape[1]
    series = pa.array(np.repeat(np.arange(plant.series, dtype=np.int32), steps))
    whole = np.repeat(plant.whole(), steps)
    value, bad = block.value.ravel(), block.bad.ravel()
    name = lambda of: pa.array([of(number) for number in range(plant.series)]).take(series)
    return pa.table(
        {
            "asset": name(plant.asset_name),
            "property": name(plant.tag_name),
            "time": pa.array(block.time.ravel(), pa.timestamp("us", "UTC")),
            "double": pa.array(value, mask=whole),
            "integer": pa.array(value.astype(np.int64), mask=~whole),
            "boolean": pa.nulls(value.size, pa.bool_()),
            "string": pa.nulls(value.size, pa.string()),
            "quality": pa.array(np.where(bad, 2, 0).astype(np.int8)),
            "status": pa.array(np.where(bad, BAD_STATUS, 0)),
        }
    )


def parquet(rows: pa.Table, folder: Path) -> float:
    path = folder / "plain.parquet"
    pq.write_table(rows, path, compression="zstd")
    size = path.stat().st_size
    path.unlink()
    return size / rows.num_rows


CODECS = {
    "ClickHouse, ZSTD": ("ZSTD(1)",) * 3,
    "ClickHouse, Delta, ZSTD(3)": ("Delta, ZSTD(3)", "ZSTD(3)", "Delta, ZSTD(3)"),
    "ClickHouse, DoubleDelta and Gorilla, ZSTD": ("DoubleDelta, ZSTD(1)", "Gorilla, ZSTD(1)", "DoubleDelta, ZSTD(1)"),
}


def clickhouse(rows: pa.Table, folder: Path, codecs: tuple[str, str, str]) -> float:
    import chdb.session

    path = folder / "rows.parquet"
    pq.write_table(rows, path, compression="lz4")
    home = folder / "clickhouse"
    session = chdb.session.Session(str(home))
    try:
        of_time, of_double, of_integer = codecs
        session.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
        session.query(
            f"""CREATE TABLE bench.samples (
                asset LowCardinality(String) CODEC(ZSTD(1)), property LowCardinality(String) CODEC(ZSTD(1)),
                time DateTime64(6, 'UTC') CODEC({of_time}), double Nullable(Float64) CODEC({of_double}),
                integer Nullable(Int64) CODEC({of_integer}), boolean Nullable(Bool) CODEC(ZSTD(1)),
                string Nullable(String) CODEC(ZSTD(1)), quality Int8 CODEC(ZSTD(1)), status Int64 CODEC(ZSTD(1))
            ) ENGINE = MergeTree ORDER BY (asset, property, time)"""
        )
        session.query(f"INSERT INTO bench.samples SELECT * FROM file('{path}', Parquet)")
        session.query("OPTIMIZE TABLE bench.samples FINAL")
        answer = session.query(
            "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'samples' FORMAT JSONCompact"
        )
        count, size = (int(value) for value in json.loads(str(answer))["data"][0])
        assert count == rows.num_rows, f"ClickHouse holds {count} of {rows.num_rows} rows"
        return size / count
    finally:
        session.close()
        path.unlink()
        shutil.rmtree(home, ignore_errors=True)


def victoriametrics(plant: Plant, block: Block, folder: Path) -> float:
    """Bytes of its values and stamps after a forced merge; its index of names, a constant, is left out."""
    server = VictoriaMetrics(folder / "victoria")
    try:
        server.start()
        steps = block.time.shape[1]
        stamps, values = block.time // 1_000, block.value
        for first in range(0, plant.series, 100):
            body = "".join(
                json.dumps(
                    {
                        "metric": {
                            "__name__": plant.tag_name(series).rsplit("_", 1)[0] + "_value",
                            "asset": plant.asset_name(series),
                            "tag": plant.tag_name(series),
                        },
                        "values": values[series].tolist(),
                        "timestamps": stamps[series].tolist(),
                    }
                )
                + "\n"
                for series in range(first, min(first + 100, plant.series))
            )
            url = f"http://127.0.0.1:{server.port}/api/v1/import"
            urllib.request.urlopen(urllib.request.Request(url, data=body.encode()), timeout=600).read()
        server.flush()
        server.merge()
        size = settled(lambda: size_of(server.folder / "data" / "data"))
        count, _ = server.count_and_sum()
        assert count == plant.series * steps, f"VictoriaMetrics holds {count} of {plant.series * steps} rows"
        return size / count
    finally:
        server.remove()


def settled(value, quiet_seconds: float = 5, most_seconds: float = 300):
    """The value once it has stopped changing."""
    began = changed = time.monotonic()
    last = value()
    while time.monotonic() - changed < quiet_seconds and time.monotonic() - began < most_seconds:
        time.sleep(0.25)
        now = value()
        if now != last:
            last, changed = now, time.monotonic()
    return last


def andon(plant: Plant, rows: int, folder: Path) -> dict:
    server = Andon(folder / "andon", plant_file(plant))
    try:
        server.start()
        client.stream_arrow(server.port, plant, rows, connections=2)
        server.flush()
        assert server.count_and_sum()[0] == rows
        before = size_of(server.data / "history" / "samples", "*.parquet")
        server.compact()
        assert server.count_and_sum()[0] == rows
        server.stop()
        after = server.live_bytes("samples")
        everything = size_of(server.data)
        return {"flushed": before / rows, "compacted": after / rows, "everything": everything / rows}
    finally:
        server.remove()


def size(arguments) -> Result:
    plant = Plant(assets=arguments.assets)
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    block = joined(plant, arguments.rows)
    count = block.rows
    rows = table(plant, block)
    theirs = {"Parquet, zstd, as pyarrow writes it": parquet(rows, folder)}
    for name, codecs in CODECS.items():
        theirs[name] = clickhouse(rows, folder, codecs)
    del rows
    theirs["VictoriaMetrics"] = victoriametrics(plant, block, folder)
    del block
    print(theirs)
    ours = andon(plant, count, folder)
    bounds = {"Parquet": (0.8, 0.6), "ClickHouse, ZSTD": (0.7, 0.45), "VictoriaMetrics": (1.4, 1.0)}
    comparisons = []
    for name, bytes_ in theirs.items():
        floor, goal = next((bound for start, bound in bounds.items() if name == start or name.startswith(start + ", zstd")), (None, None))
        comparisons.append(
            Comparison(
                "after compaction", "bytes per point", name, [ours["compacted"]], [bytes_], higher_is_better=False, floor=floor, goal=goal
            )
        )
    comparisons[0].more = {
        "as flushed, before compaction": f"{ours['flushed']:.2f}",
        "whole data folder, with log and roll-ups": f"{ours['everything']:.2f}",
    }
    return Result(
        "size",
        "Bytes per point",
        f"{count:,} samples of {plant.series:,} series at 1 Hz. The peers' tables hold names, time, value by type, quality and status, "
        "sorted by series and time; ClickHouse after OPTIMIZE FINAL; VictoriaMetrics after a forced merge, without its index of "
        "names, and without quality and status, which it does not have.",
        comparisons,
    )
