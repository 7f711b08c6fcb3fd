"""Questions to Andon over HTTP and to DuckDB on the very same Parquet files."""

import math
import statistics
import time
from pathlib import Path

import client
from plant import START_MICROS, Plant, plant_file
from results import Comparison, Result
from servers import Andon

WARM_UP = 1
CACHE_NOTE = "Both sides warm: files in the system's cache, each question asked once before it counts."


def instant(seconds: float) -> str:
    micros = START_MICROS + round(seconds * 1e6)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000)) + "Z"


def dataset(arguments, name: str, plant: Plant, rows: int) -> Andon:
    """A running Andon with these rows, compacted. Its folder is kept for the next benchmark."""
    server = Andon(arguments.folder / f"{name}-{rows}", plant_file(plant))
    server.start()
    count = server.sql("SELECT count(*) FROM samples")[0][0]
    if count != rows:
        assert count == 0, f"{server.folder} holds {count:,} rows instead of {rows:,}: remove it"
        client.stream_arrow(server.port, plant, rows, connections=2)
        server.compact()
        count = server.sql("SELECT count(*) FROM samples")[0][0]
        assert count == rows, f"{count:,} of {rows:,} rows arrived"
    return server


class DuckDB:
    """On the files of a Delta table as its log lists them; two threads as Andon has."""

    def __init__(self, table: Path, threads: int) -> None:
        import deltalake
        import duckdb

        self.files = [uri.removeprefix("file://") for uri in deltalake.DeltaTable(str(table)).file_uris()]
        self.connection = duckdb.connect(config={"threads": threads})
        self.connection.execute("SET enable_object_cache = true")
        self.connection.execute("SET TimeZone = 'UTC'")
        listed = ", ".join(f"'{path}'" for path in self.files)
        self.connection.execute(f"CREATE VIEW samples AS SELECT * FROM read_parquet([{listed}], hive_partitioning = true)")

    def ask(self, statement: str) -> list[tuple]:
        return self.connection.execute(statement).fetchall()


def same(ours: list, theirs: list) -> bool:
    """The same rows in any order; numbers to twelve digits."""

    def plain(value):
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)):
            return float(f"{value:.12g}")
        return str(value)

    key = lambda row: tuple((value is None, str(type(value)), value) for value in row)
    return sorted(([plain(value) for value in row] for row in ours), key=key) == sorted(
        ([plain(value) for value in row] for row in theirs), key=key
    )


def compare(server: Andon, peer: DuckDB, questions, pairs: int, peer_name: str) -> list[Comparison]:
    found = []
    for name, ours, theirs in questions:
        seconds: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + pairs):
            answers = {}
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                began = time.monotonic()
                answers[side] = server.sql(ours) if side == 0 else peer.ask(theirs)
                if number >= WARM_UP:
                    seconds[side].append((time.monotonic() - began) * 1e3)
            if not same(answers[0], answers[1]):
                raise AssertionError(f"{name}: {answers[0][:3]} ({len(answers[0])}) and {answers[1][:3]} ({len(answers[1])})")
        found.append(Comparison(name, "ms", peer_name, *seconds, higher_is_better=False))
        print(name, seconds, flush=True)
    return found


def mean_ratio(comparisons: list[Comparison]) -> float:
    ratios = [statistics.median(comparison.ratios()) for comparison in comparisons]
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


GOOD = "quality = 0"


def raw(arguments) -> Result:
    plant = Plant()
    server = dataset(arguments, "raw", plant, arguments.rows)
    try:
        peer = DuckDB(server.data / "history" / "samples", client.cores())
        hours = arguments.rows / plant.series / 3_600
        first = instant(min(3_600, hours * 1_800))
        last = instant(min(7_200, hours * 3_600))
        one = "asset = 'machine_042' AND property = 'analog_07'"
        tags = ", ".join(f"'analog_{n:02d}'" for n in range(8))
        hour = lambda column: f"date_trunc('hour', {column})"
        minute = lambda column: f"date_trunc('minute', {column})"
        questions = [
            (
                "one tag, one hour",
                f"SELECT CAST(time AS BIGINT) / 1000, \"double\" FROM samples WHERE {one} AND time >= '{first}' AND time < '{last}'",
                f"SELECT epoch_us(time), double FROM samples WHERE {one} AND time >= '{first}' AND time < '{last}'",
            ),
            (
                "8 tags, per minute",
                f"SELECT property, CAST({minute('time')} AS BIGINT) / 1000, avg(\"double\"), max(\"double\") FROM samples "
                f"WHERE asset = 'machine_042' AND property IN ({tags}) AND quality = 'good' GROUP BY 1, 2",
                f"SELECT property, epoch_us({minute('time')}), avg(double), max(double) FROM samples "
                f"WHERE asset = 'machine_042' AND property IN ({tags}) AND {GOOD} GROUP BY 1, 2",
            ),
            (
                "all tags, per hour",
                f"SELECT count(*), sum(n), min(low), max(high) FROM (SELECT asset, property, {hour('time')} AS hour, count(*) AS n, "
                'min("double") AS low, max("double") AS high, avg("double") AS mean FROM samples WHERE quality = \'good\' GROUP BY 1, 2, 3)',
                f"SELECT count(*), sum(n), min(low), max(high) FROM (SELECT asset, property, {hour('time')} AS hour, count(*) AS n, "
                f"min(double) AS low, max(double) AS high, avg(double) AS mean FROM samples WHERE {GOOD} GROUP BY 1, 2, 3)",
            ),
            (
                "last value of every tag",
                'SELECT count(*), sum("double"), sum("integer") FROM latest',
                "SELECT count(*), sum(d), sum(i) FROM "
                "(SELECT arg_max(double, time) AS d, arg_max(integer, time) AS i FROM samples GROUP BY asset, property)",
            ),
        ]
        comparisons = compare(server, peer, questions, arguments.pairs, "DuckDB")
        mean = mean_ratio(comparisons)
        comparisons.append(
            Comparison("geometric mean of the ratios", "", "DuckDB", [mean], [1.0], higher_is_better=False, floor=1.3, goal=0.9)
        )
        return Result(
            "raw",
            "Raw queries on the same Parquet files, against DuckDB",
            f"{arguments.rows:,} samples of plant-10k, {len(peer.files)} files. Andon over HTTP with JSON answers, DuckDB in "
            f"process with {client.cores()} threads. {CACHE_NOTE}",
            comparisons,
        )
    finally:
        server.stop()


def product(arguments) -> Result:
    days = arguments.days
    plant = Plant(assets=50, tags=2, interval=days * 86_400 * 100 / arguments.rows)
    server = dataset(arguments, "product", plant, arguments.rows)
    try:
        peer = DuckDB(server.data / "history" / "samples", client.cores())
        questions = [
            (
                f"hourly averages of 50 machines over {days} days",
                "SELECT count(*), sum(mean) FROM (SELECT asset, date_bin(INTERVAL '1 hour', time) AS hour, avg(value) AS mean "
                "FROM samples WHERE property = 'analog_00' AND quality = 'good' GROUP BY 1, 2)",
                "SELECT count(*), sum(mean) FROM (SELECT asset, date_trunc('hour', time) AS hour, avg(double) AS mean "
                f"FROM samples WHERE property = 'analog_00' AND {GOOD} GROUP BY 1, 2)",
            ),
            (
                f"daily least and most of 50 machines over {days} days",
                "SELECT asset, CAST(date_trunc('day', time) AS BIGINT) / 1000, min(value), max(value) FROM samples "
                "WHERE property = 'analog_00' AND quality = 'good' GROUP BY 1, 2",
                "SELECT asset, epoch_us(date_trunc('day', time)), min(double), max(double) FROM samples "
                f"WHERE property = 'analog_00' AND {GOOD} GROUP BY 1, 2",
            ),
            (
                "latest of all",
                'SELECT count(*), sum("double") FROM latest',
                "SELECT count(*), sum(d) FROM (SELECT arg_max(double, time) AS d FROM samples GROUP BY asset, property)",
            ),
        ]
        comparisons = compare(server, peer, questions, arguments.pairs, "DuckDB on raw")
        mean = mean_ratio(comparisons)
        comparisons.append(
            Comparison(
                "geometric mean of the ratios", "", "DuckDB on raw", [mean], [1.0], higher_is_better=False, floor=1 / 20, goal=1 / 100
            )
        )
        return Result(
            "product",
            "Product queries, from roll-ups and latest values, against DuckDB on raw samples",
            f"{arguments.rows:,} samples of 50 machines with 2 tags over {days} days, {len(peer.files)} files. {CACHE_NOTE}",
            comparisons,
        )
    finally:
        server.stop()
