"""Which encodings of the history's Parquet files are smallest on decimal sensor data, and what they cost.

    benches/peers/run encodings            # a day file of 1 h of 1,000 series, and one of 24 h of 100 series
    benches/peers/run encodings --quick    # a few minutes of data, to see that it works

Writes the columns of the history with pyarrow (same Parquet features as the Rust writer), sorted by series and time.
Prints bytes per point and column, seconds to write and to read, as Markdown.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plant import BAD_STATUS, Plant

PAGE_ROWS = 8_192
GROUP_ROWS = 131_072

BASE = {
    "compression": "zstd",
    "compression_level": 3,
    "dictionary": {"series", "nanos", "double", "integer", "boolean", "string", "quality", "status", "asset", "property"},
    "encoding": {"time": "DELTA_BINARY_PACKED", "seq": "DELTA_BINARY_PACKED"},
    "group": GROUP_ROWS,
    "page": PAGE_ROWS,
    "dictionary_limit": 1 << 20,
    "unit": "us",
    "one_seq": False,
    "flush_seq": False,
}
"""The layout of the first release."""


def table(plant: Plant, hours: float) -> pa.Table:
    """The rows of one day file, in the file's order."""
    rows = int(hours * 3_600 / plant.interval) * plant.series
    blocks = list(plant.blocks(rows))
    join = lambda name: np.concatenate([getattr(block, name) for block in blocks], axis=1)
    stamp, value, bad = join("time"), join("value"), join("bad")
    steps = stamp.shape[1]
    series = np.repeat(np.arange(plant.series, dtype=np.int32), steps)
    whole = np.repeat(plant.whole(), steps)
    value, bad = value.ravel(), bad.ravel()
    # Every second is acknowledged in a few records, and now and then something else is written in between.
    others = np.cumsum(np.random.default_rng(7).integers(0, 3, steps))
    per_second = -(-plant.series // 1_000)
    number = (np.arange(steps) * per_second + others)[None, :] + (np.arange(plant.series) // 1_000)[:, None]
    # Plain text: a pyarrow dictionary would be written whole into each row group.
    names = lambda name: pa.array([name(number) for number in range(plant.series)]).take(pa.array(series))
    return pa.table(
        {
            "series": pa.array(series),
            "asset": names(plant.asset_name),
            "property": names(plant.tag_name),
            "time": pa.array(stamp.ravel(), pa.timestamp("us", "UTC")),
            "nanos": pa.array(np.zeros(value.size, np.int16)),
            "double": pa.array(value, mask=whole),
            "integer": pa.array(value.astype(np.int64), mask=~whole),
            "boolean": pa.nulls(value.size, pa.bool_()),
            "string": pa.nulls(value.size, pa.string()),
            "quality": pa.array(np.where(bad, 2, 0).astype(np.int8)),
            "status": pa.array(np.where(bad, BAD_STATUS, 0)),
            "seq": pa.array(number.ravel().astype(np.int64)),
        }
    )


def variant(**changes) -> dict:
    made = {**BASE, **{key: value for key, value in changes.items() if key != "encode"}}
    made["dictionary"], made["encoding"] = set(made["dictionary"]), dict(made["encoding"])
    for column, encoding in changes.get("encode", {}).items():
        made["dictionary"].discard(column)
        made["encoding"].pop(column, None)
        if encoding == "DICTIONARY":
            made["dictionary"].add(column)
        else:
            made["encoding"][column] = encoding
    return made


def measure(rows: pa.Table, how: dict, path: Path) -> dict:
    options = {
        "compression": how["compression"],
        "compression_level": how["compression_level"],
        "use_dictionary": sorted(how["dictionary"]),
        "column_encoding": how["encoding"] or None,
        "row_group_size": how["group"],
        "max_rows_per_page": how["page"],
        "data_page_size": 1 << 20,
        "dictionary_pagesize_limit": how["dictionary_limit"],
        "write_page_index": True,
        "write_batch_size": 1_024,
        "store_schema": False,
    }
    if how["unit"] != "us":
        rows = replaced(rows, "time", rows["time"].cast(pa.timestamp(how["unit"], "UTC")))
    if how["one_seq"]:
        rows = replaced(rows, "seq", pa.array(np.full(rows.num_rows, 7)))
    if how["flush_seq"]:
        rows = replaced(rows, "seq", of_flush(rows["seq"].to_numpy()))
    began = time.process_time()
    pq.write_table(rows, path, **options)
    written = time.process_time() - began
    began = time.process_time()
    back = pq.read_table(path, use_threads=False)
    read = time.process_time() - began
    assert back.num_rows == rows.num_rows and back["time"].combine_chunks().equals(rows["time"].combine_chunks())
    # A query of one series reads the pages of one row group: half the rows of one group stand for it.
    file = pq.ParquetFile(path)
    began = time.process_time()
    for _ in range(20):
        file.read_row_group(file.num_row_groups // 2, columns=["time", "double", "quality"], use_threads=False)
    group = (time.process_time() - began) / 20
    columns: dict[str, int] = {}
    for number in range(file.num_row_groups):
        of_group = file.metadata.row_group(number)
        for position in range(of_group.num_columns):
            column = of_group.column(position)
            name = column.path_in_schema
            columns[name] = columns.get(name, 0) + column.total_compressed_size
    return {
        "total": path.stat().st_size / rows.num_rows,
        "write": rows.num_rows / written / 1e6,
        "read": rows.num_rows / read / 1e6,
        "group_ms": group * 1e3,
        **{name: size / rows.num_rows for name, size in columns.items()},
    }


def of_flush(seq: np.ndarray) -> pa.Array:
    """The last record of the flush that wrote each row; a flush takes about a million rows."""
    records = np.unique(seq)
    flushes = np.array_split(records, max(1, seq.size // 1_000_000))
    last = np.array([flush[-1] for flush in flushes])
    return pa.array(last[np.searchsorted(last, seq)])


def replaced(rows: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, column)


DELTA, SPLIT, PLAIN, DICTIONARY = "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN", "DICTIONARY"

VARIANTS = {
    "first release": variant(),
    "double PLAIN": variant(encode={"double": PLAIN}),
    "double BYTE_STREAM_SPLIT": variant(encode={"double": SPLIT}),
    "integer DELTA": variant(encode={"integer": DELTA}),
    "integer PLAIN": variant(encode={"integer": PLAIN}),
    "time PLAIN": variant(encode={"time": PLAIN}),
    "time dictionary": variant(encode={"time": DICTIONARY}),
    "time BYTE_STREAM_SPLIT": variant(encode={"time": SPLIT}),
    "time in milliseconds": variant(unit="ms"),
    "seq dictionary": variant(encode={"seq": DICTIONARY}),
    "seq PLAIN": variant(encode={"seq": PLAIN}),
    "seq the same in all rows": variant(one_seq=True),
    "zstd 1": variant(compression_level=1),
    "zstd 6": variant(compression_level=6),
    "zstd 9": variant(compression_level=9),
    "dictionary limit 64 KiB": variant(dictionary_limit=1 << 16),
    "dictionary limit 4 MiB, group 1 Mi": variant(dictionary_limit=1 << 22, group=1 << 20),
    "group 32 Ki": variant(group=1 << 15),
    "group 512 Ki": variant(group=1 << 19),
    "page 2 Ki": variant(page=1 << 11),
    "page 32 Ki": variant(page=1 << 15),
    "page 128 Ki": variant(page=1 << 17),
    # What is best on its own, together.
    "A: integer DELTA, page 32 Ki, zstd 3": variant(page=1 << 15, encode={"integer": DELTA}),
    "B: A with double PLAIN, zstd 3": variant(page=1 << 15, encode={"integer": DELTA, "double": PLAIN}),
    "C: B with zstd 6": variant(page=1 << 15, compression_level=6, encode={"integer": DELTA, "double": PLAIN}),
    "D: B with zstd 9": variant(page=1 << 15, compression_level=9, encode={"integer": DELTA, "double": PLAIN}),
    "E: D with page 16 Ki": variant(page=1 << 14, compression_level=9, encode={"integer": DELTA, "double": PLAIN}),
    "F: D with page 128 Ki": variant(page=1 << 17, compression_level=9, encode={"integer": DELTA, "double": PLAIN}),
    "G: F with group 64 Ki": variant(
        page=1 << 17, group=1 << 16, compression_level=9, encode={"integer": DELTA, "double": PLAIN}
    ),
    "H: F with zstd 15": variant(page=1 << 17, compression_level=15, encode={"integer": DELTA, "double": PLAIN}),
    "I: F with one seq": variant(
        page=1 << 17, compression_level=9, one_seq=True, encode={"integer": DELTA, "double": PLAIN}
    ),
    "J: I with time in ms": variant(
        page=1 << 17, compression_level=9, one_seq=True, unit="ms", encode={"integer": DELTA, "double": PLAIN}
    ),
    "L: D with seq by flush": variant(
        page=1 << 15, compression_level=9, flush_seq=True, encode={"integer": DELTA, "double": PLAIN, "seq": DICTIONARY}
    ),
    "M: L with page 64 Ki": variant(
        page=1 << 16, compression_level=9, flush_seq=True, encode={"integer": DELTA, "double": PLAIN, "seq": DICTIONARY}
    ),
    "N: L with page 128 Ki": variant(
        page=1 << 17, compression_level=9, flush_seq=True, encode={"integer": DELTA, "double": PLAIN, "seq": DICTIONARY}
    ),
    "O: N with zstd 6": variant(
        page=1 << 17, compression_level=6, flush_seq=True, encode={"integer": DELTA, "double": PLAIN, "seq": DICTIONARY}
    ),
    "P: O with zstd 3": variant(
        page=1 << 17, compression_level=3, flush_seq=True, encode={"integer": DELTA, "double": PLAIN, "seq": DICTIONARY}
    ),
    "K: A with dictionary, zstd 9": variant(page=1 << 15, compression_level=9, encode={"integer": DELTA}),
}

SHOWN = ("time", "double", "integer", "quality", "status", "seq")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="variants whose name has this in it")
    arguments = parser.parse_args()
    shapes = [("1 h of 1,000 series", 10, 1.0), ("24 h of 100 series", 1, 24.0)]
    if arguments.quick:
        shapes = [("3 min of 1,000 series", 10, 0.05)]
    with tempfile.TemporaryDirectory() as folder:
        for title, assets, hours in shapes:
            rows = table(Plant(assets=assets), hours)
            print(f"\n{title}, {rows.num_rows:,} rows; bytes per point; million rows per CPU second\n")
            print("| variant | total | " + " | ".join(SHOWN) + " | rest | write | read | one group, ms |")
            print("|---|" + "---:|" * (len(SHOWN) + 5))
            for name, how in VARIANTS.items():
                if arguments.only and arguments.only not in name:
                    continue
                seen = measure(rows, how, Path(folder) / "day.parquet")
                rest = seen["total"] - sum(seen[column] for column in SHOWN)
                cells = [f"{seen['total']:.3f}"] + [f"{seen[column]:.3f}" for column in SHOWN] + [f"{rest:.3f}"]
                cells += [f"{seen['write']:.2f}", f"{seen['read']:.1f}", f"{seen['group_ms']:.1f}"]
                print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
