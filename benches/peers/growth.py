"""What one more sample, one window and one last value cost as the history grows, how long a start takes, how fast the log is read."""

import os
import shutil
import signal
import statistics
import time
import urllib.request

import client
from plant import START_MICROS, Plant, plant_file
from queries import dataset, instant
from results import Comparison, Result
from servers import Andon
from widen import widen

ASKED = 100


def milliseconds(action, times: int = ASKED) -> list[float]:
    took = []
    for number in range(times):
        began = time.monotonic()
        action(number)
        took.append((time.monotonic() - began) * 1e3)
    return took


def costs(server, plant: Plant, rows: int) -> dict[str, list[float]]:
    end = START_MICROS + round(rows / plant.series * plant.interval * 1e6)

    def write(number: int) -> None:
        body = f"probe,tag=one value={number} {(end + number) * 1_000}\n".encode()
        url = f"http://127.0.0.1:{server.port}{server.write_path()}"
        urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60).read()

    def window(number: int) -> None:
        series = number * 97 % plant.series
        where = f"asset = '{plant.asset_name(series)}' AND property = '{plant.tag_name(series)}'"
        rows = server.sql(f"SELECT time, value FROM samples WHERE {where} AND time >= '{instant(100)}' AND time < '{instant(400)}'")
        assert abs(len(rows) - 300 / plant.interval) <= 1, len(rows)

    def last(number: int) -> None:
        series = number * 89 % plant.series
        where = f"asset = '{plant.asset_name(series)}' AND property = '{plant.tag_name(series)}'"
        assert len(server.sql(f"SELECT time, value FROM latest WHERE {where}")) == 1

    window(0), last(0), write(0)
    return {
        "one more sample, durable": milliseconds(write),
        "a window of five minutes of one tag": milliseconds(window),
        "the last value of one tag": milliseconds(last),
    }


def growth(arguments) -> Result:
    plant, comparisons, base = Plant(), [], None
    starts = []
    for rows in sorted(arguments.sizes):
        server = grown(arguments, plant, rows)
        try:
            server.stop()
            took = [server.start()]
            for _ in range(arguments.pairs - 1):
                server.stop(signal.SIGKILL)
                took.append(server.start())
            starts.append((rows, took, server.memory() / 2**20))
            found = costs(server, plant, rows)
        finally:
            server.stop()
        base = base or (rows, found)
        for name, ours in found.items() if base[0] != rows else ():
            theirs = base[1][name]
            comparisons.append(
                Comparison(
                    f"{name}, {rows:,} rows",
                    "ms",
                    f"{base[0]:,} rows",
                    [statistics.median(ours)],
                    [statistics.median(theirs)],
                    higher_is_better=False,
                    floor=1.3,
                    goal=1.05,
                    more={"99 %, ms": f"{quantile(ours):.1f} : {quantile(theirs):.1f}"},
                )
            )
    shutil.rmtree(server.folder, ignore_errors=True)
    for rows, took, memory in starts:
        more = {"memory after the start, MiB": f"{memory:.0f}"}
        comparisons.append(Comparison(f"start-up with {rows:,} rows", "s", "", took, [], higher_is_better=False, more=more))
    return Result(
        "growth",
        "Growth: the same questions as the history grows, and start-up",
        f"Medians of {ASKED} requests one after the other; plant-10k. Sizes above {WIDENED_FROM:,} rows are the same samples again on "
        "earlier days, added to the Delta table as files of another writer. Start-up is from the process to /readyz: the first after a "
        "clean stop, the others after kill -9; floor 3 s, goal 1 s with 1e9 rows.",
        comparisons,
    )


WIDENED_FROM = 100_000_000
"""Larger histories are made from one of this size, on the disk: sending them would take longer than measuring."""


def grown(arguments, plant: Plant, rows: int) -> Andon:
    """A copy of the dataset, widened where it is larger: what is written to it must not stay in the dataset."""
    base = dataset(arguments, "raw", plant, min(rows, WIDENED_FROM))
    base.stop()
    server = Andon(arguments.folder / "growth", plant_file(plant))
    shutil.rmtree(server.data, ignore_errors=True)
    shutil.copytree(base.data, server.data, copy_function=link_or_copy)
    if rows > WIDENED_FROM:
        files = server.live_files("samples")
        widen(server.data / "history" / "samples", files, rows // WIDENED_FROM - 1, client.cores())
    server.start()
    # Not by SQL: that would answer from roll-ups, and the added files have none.
    count = server.metric("andon_history_rows")
    assert count == rows, f"{count:,} of {rows:,} rows"
    return server


def link_or_copy(source: str, to: str) -> None:
    """Files of the table never change; all others do."""
    if source.endswith(".parquet"):
        os.link(source, to)
    else:
        shutil.copy2(source, to)


def quantile(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def replay(arguments) -> Result:
    """Rows that are only in the log, read back after kill -9."""
    plant, took, empty = Plant(), [], []
    load = client.arrows(plant, arguments.rows, 10_000, 2)
    logged = 0
    for _ in range(arguments.pairs):
        server = Andon(arguments.folder / "replay")
        try:
            empty.append(server.start())
            client.send_arrow(server.port, load)
            logged = server.log_rows()
            server.stop(signal.SIGKILL)
            took.append(server.start())
            server.flush()
            count, total = server.count_and_sum()
            assert count == load.rows and abs(total - load.sum) < 1e-9 * abs(load.sum), (count, total)
        finally:
            server.remove()
    rates = [logged / max(with_log - without, 1e-3) for with_log, without in zip(took, empty)]
    return Result(
        "startup",
        "Reading back the log",
        f"{load.rows:,} samples of plant-10k acknowledged, then kill -9 and start; {logged:,} of them were only in the log. Time from "
        "the process to /readyz, less that of an empty folder; then the count and sum are right.",
        [
            Comparison("log replay", "rows/s", "floor 1 M rows/s, goal 5 M rows/s", rates, [1e6] * len(rates), floor=1, goal=5),
            Comparison("start with the log", "s", "with an empty folder", took, empty, higher_is_better=False),
        ],
    )
