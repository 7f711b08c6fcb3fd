"""Makes a history longer without writing it through the server: the same samples again, on earlier days.

Only for benchmarks of what a long history costs. A stopped Andon's table gets files of another writer, which it may have: it is an
open Delta table.
"""

import json
import multiprocessing
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

GROUP_ROWS = 131_072
PAGE_ROWS = 32_768
DIFFERENCES = ("time", "seq", "integer")


def widen(table: Path, files: list[Path], times: int, processes: int) -> int:
    """Adds the rows of `files` on `times` earlier days; answers how many that are."""
    tasks = [(table, path, day) for day in range(1, times + 1) for path in files]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        added = list(pool.map(shifted, tasks))
    log = table / "_delta_log"
    versions = [int(path.stem) for path in log.glob("*.json") if path.stem.isdigit()]
    lines = [{"commitInfo": {"timestamp": int(time.time() * 1e3), "operation": "WRITE"}}, *({"add": add} for add in added)]
    text = "\n".join(json.dumps(line) for line in lines) + "\n"
    (log / f"{max(versions) + 1:020d}.json").write_text(text)
    return sum(json.loads(add["stats"])["numRecords"] for add in added)


def shifted(task: tuple[Path, Path, int]) -> dict:
    """Writes one file with its times some days earlier; answers how the table lists it."""
    table, path, days = task
    day = datetime.strptime(path.parent.name.removeprefix("day="), "%Y-%m-%d") - timedelta(days=days)
    relative = f"day={day:%Y-%m-%d}/{1:012d}-{0:06x}-{uuid.uuid4().hex}.parquet"
    target = table / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    source = pq.ParquetFile(path)
    schema = source.schema_arrow
    at = schema.get_field_index("time")
    shift = pa.scalar(timedelta(days=days), pa.duration("us"))
    options = {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": [name for name in schema.names if name not in (*DIFFERENCES, "double")],
        "column_encoding": {name: "DELTA_BINARY_PACKED" for name in DIFFERENCES},
        "max_rows_per_page": PAGE_ROWS,
        "write_page_index": True,
    }
    low = high = None
    with pq.ParquetWriter(target, schema, **options) as writer:
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            stamps = pc.subtract(rows["time"], shift).cast(schema.field(at).type)
            span = pc.min_max(stamps).as_py()
            low = span["min"] if low is None else min(low, span["min"])
            high = span["max"] if high is None else max(high, span["max"])
            writer.write_table(rows.set_column(at, schema.field(at), stamps), row_group_size=GROUP_ROWS)
    groups = [source.metadata.row_group(number).column(0).statistics for number in (0, source.num_row_groups - 1)]
    text = lambda stamp: stamp.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    statistics = {
        "numRecords": source.metadata.num_rows,
        "minValues": {"time": text(low), "series": groups[0].min},
        "maxValues": {"time": text(high), "series": groups[1].max},
        "nullCount": {"time": 0, "series": 0},
    }
    return {
        "path": relative,
        "partitionValues": {"day": f"{day:%Y-%m-%d}"},
        "size": target.stat().st_size,
        "modificationTime": int(time.time() * 1e3),
        "dataChange": True,
        "stats": json.dumps(statistics),
    }
