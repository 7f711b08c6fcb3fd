"""Metrics and OEE: what transforms and windows cost, whether many assets keep up, what one late sample costs, and the OEE board."""

import json
import statistics
import time
import urllib.parse
import urllib.request

import numpy as np

import client
import servers
from queries import DuckDB
from quiet import ahead, go_ahead
from results import Comparison, Result

BATCH = 10_000
DAY = 86_400


class Andon(servers.Andon):
    def command(self) -> list[str]:
        return [*ahead(), *super().command()]


def wait_until(what: str, question, seconds: float, step: float = 0.5) -> float:
    """Seconds until a question is answered with yes."""
    began = time.monotonic()
    while not question():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s")
        time.sleep(step)
    return time.monotonic() - began


def assets_of(model: str, count: int) -> str:
    return "".join(f"  Machine {number}: {{ model: {model} }}\n" for number in range(count))


def body(rows: list[str]) -> bytes:
    return "".join(rows).encode()


# Transforms


def transform_plant(with_transforms: bool, machines: int) -> str:
    transforms = """
    transforms:
      over: { value: temp - limit, unit: K }
      load: (temp - 20) / 60 * 100
      hot: load > 80
""" if with_transforms else ""
    return f"""
plant: {{ name: Bench, timezone: UTC }}
models:
  machine:
    attributes:
      limit: {{ default: 80, unit: °C }}
    measurements:
      temp: {{ unit: °C }}
{transforms}
assets:
{assets_of("machine", machines)}"""


def transforms(arguments) -> Comparison:
    """CPU of the same samples with and without three transforms on each; the difference is theirs."""
    machines, start = 1_000, int(time.time()) - 3_600
    random = np.random.default_rng(7)
    steps = arguments.rows // machines
    lines, bodies, sent = [], [], 0.0
    for step in range(steps):
        values = np.round(random.uniform(40, 100, machines), 1).tolist()
        # A quarter of a second apart, all within the last hour.
        stamp = int((start + step * 0.25) * 1e3)
        lines += [f"m,asset=Machine\\ {machine} temp={value} {stamp}\n" for machine, value in enumerate(values)]
        sent += sum(values)
        while len(lines) >= BATCH:
            bodies.append(body(lines[:BATCH]))
            lines = lines[BATCH:]
    if lines:
        bodies.append(body(lines))
    load = client.Load([bodies], steps * machines, sent, steps * machines)
    made, plain = [], []
    for _ in range(arguments.pairs):
        spent = {}
        for with_transforms in (True, False):
            server = Andon(arguments.folder / "Andon", transform_plant(with_transforms, machines))
            try:
                server.start()
                before = server.cpu_seconds()
                client.send(server.port, "/write?precision=ms", load)
                if with_transforms:
                    count = "SELECT count(*) FROM samples WHERE property IN ('over', 'load', 'hot')"
                    wait_until("the transforms", lambda: int(server.sql(count)[0][0]) >= 3 * load.rows, 120)
                    assert int(server.sql(count)[0][0]) == 3 * load.rows
                spent[with_transforms] = server.cpu_seconds() - before
            finally:
                server.remove()
        made.append(3 * load.rows / max(spent[True] - spent[False], 1e-9))
        plain.append(load.rows / spent[False])
    return Comparison(
        f"{load.rows:,} samples, three transforms on each, durable",
        "1/s of a core",
        "samples alone",
        made,
        plain,
        durability="D2 : D2",
    )


# Many assets


METRICS = """
      1m:
        temp_avg: avg(temp)
        temp_max: max(temp)
        temp_min: min(temp)
        temp_sdev: stdev(temp)
        temp_mean: { value: time_weighted_avg(temp), unit: °C }
        made: increase(count)
        readings: count(temp)
        rate: { value: made * 60, unit: 1/h }
        spread: { value: temp_max - temp_min, unit: K }
        hot_time: { value: statetime(temp > 80), unit: s }
"""


def many_plant(machines: int) -> str:
    return f"""
plant: {{ name: Bench, timezone: UTC }}
models:
  machine:
    measurements:
      temp: {{ unit: °C }}
      count: {{ type: counter }}
    metrics:{METRICS}
assets:
{assets_of("machine", machines)}"""


def many(arguments) -> Comparison:
    """Samples as time goes on, for some minutes; CPU of the whole process over whole minutes, and how late the last window is."""
    machines, minutes, every = 10_000, 4, 10
    random = np.random.default_rng(7)
    server = Andon(arguments.folder / "Andon", many_plant(machines))
    try:
        server.start()
        began = time.time()
        begin = (int(began) // 60 + 1) * 60
        count = np.zeros(machines, dtype=int)
        marks, at = [], int(began) + 2
        while at <= begin + minutes * 60 + every:
            time.sleep(max(0.0, at - time.time()))
            count += random.integers(0, 5, machines)
            values = np.round(random.uniform(60, 90, machines), 1).tolist()
            lines = [f"m,asset=Machine\\ {n} temp={v},count={c}i {at}\n" for n, (v, c) in enumerate(zip(values, count.tolist()))]
            bodies = [body(lines[first : first + BATCH // 2]) for first in range(0, machines, BATCH // 2)]
            client.send(server.port, "/write?precision=s", client.Load([bodies], machines, 0.0, machines))
            marks.append((time.time(), server.cpu_seconds()))
            at += every
        end = begin + minutes * 60
        last = f"SELECT count(*) FROM samples WHERE property = 'hot_time' AND time = to_timestamp({end})"
        wait_until("the last window", lambda: int(server.sql(last)[0][0]) == machines, 120, 0.2)
        lag = time.time() - end
        held = f"SELECT count(*) FROM samples WHERE property IN ('temp_avg','temp_max','temp_min','temp_sdev','temp_mean','made','readings','rate','spread','hot_time') AND time > to_timestamp({begin}) AND time <= to_timestamp({end})"
        figures = int(server.sql(held)[0][0])
        assert figures == machines * 10 * minutes, f"{figures:,} figures, expected {machines * 10 * minutes:,}"
        inside = [mark for mark in marks if begin <= mark[0] <= end]
        share = (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])
        return Comparison(
            f"{machines:,} assets × 10 metrics a minute, {machines * 2 // every:,} samples a second",
            "share of a core",
            "one core",
            [share],
            [1.0],
            higher_is_better=False,
            floor=1.0,
            more={
                "figures per second": f"{machines * 10 / 60:,.0f}",
                "a window's figures are on disk after its end, s": f"{lag:.1f}",
                "memory afterwards, MiB": f"{server.memory() >> 20}",
            },
        )
    finally:
        server.remove()


# OEE over a month


def board_plant(machines: int) -> str:
    return f"""
plant: {{ name: Bench, timezone: UTC }}
shifts: {{ early: "Mon-Sun 06:00-14:00", late: "Mon-Sun 14:00-22:00", night: "Mon-Sun 22:00-06:00" }}
models:
  machine:
    attributes:
      ideal_rate: {{ default: 60, unit: 1/min }}
    measurements:
      running: {{ type: bool }}
      good: {{ type: counter }}
      bad: {{ type: counter }}
    oee:
      running: running
      good: good
      bad: bad
      ideal_rate: ideal_rate
      micro_stop: 1m
      windows: [shift]
assets:
{assets_of("machine", machines)}"""


def month(machines: int, days: int, end: int, every: int):
    """Bodies of line protocol, day by day: counters every so many seconds, a state where it changes."""
    random = np.random.default_rng(7)
    good, bad = [0] * machines, [0] * machines
    for day in range(days):
        start = end - (days - day) * DAY
        stamps = np.arange(start, start + DAY, every)
        for machine in range(machines):
            name = f"m,asset=Machine\\ {machine} "
            # It stands about a tenth of the time, some minutes each time.
            stands = np.repeat(random.random(DAY // 300) < 0.1, 300 // every)
            made = np.where(stands, 0, random.integers(every - 2, every + 1, stamps.size))
            scrap = (random.random(stamps.size) < 0.02).astype(int) * ~stands
            goods, bads = good[machine] + np.cumsum(made), bad[machine] + np.cumsum(scrap)
            good[machine], bad[machine] = int(goods[-1]), int(bads[-1])
            changed = np.flatnonzero(np.diff(stands.astype(int), prepend=2) != 0)
            rows = [f"{name}good={g}i,bad={b}i {t}\n" for g, b, t in zip(goods.tolist(), bads.tolist(), stamps.tolist())]
            rows += [f"{name}running={'f' if stands[at] else 't'} {stamps[at]}\n" for at in changed.tolist()]
            yield from (body(rows[first : first + BATCH // 2]) for first in range(0, len(rows), BATCH // 2))


DUCKDB = """
WITH shifts AS (
    SELECT unnest(range(TIMESTAMPTZ '{first}', TIMESTAMPTZ '{last}', INTERVAL 8 HOUR)) AS start
), states AS (
    SELECT asset, time AS start, "boolean" AS running,
           coalesce(lead(time) OVER (PARTITION BY asset ORDER BY time), TIMESTAMPTZ '{last}') AS stop
    FROM samples WHERE property = 'running'
), run AS (
    SELECT asset, shifts.start,
           sum(CASE WHEN running THEN epoch(least(stop, shifts.start + INTERVAL 8 HOUR)) - epoch(greatest(states.start, shifts.start)) END) AS seconds
    FROM states JOIN shifts ON states.start < shifts.start + INTERVAL 8 HOUR AND stop > shifts.start GROUP BY ALL
), steps AS (
    SELECT asset, property, time,
           greatest("double" - lag("double") OVER (PARTITION BY asset, property ORDER BY time), 0) AS made
    FROM samples WHERE property IN ('good', 'bad')
), counts AS (
    SELECT asset, shifts.start,
           sum(made) FILTER (property = 'good') AS good, sum(made) FILTER (property = 'bad') AS bad
    FROM steps JOIN shifts ON time > shifts.start AND time <= shifts.start + INTERVAL 8 HOUR GROUP BY ALL
)
SELECT run.asset, epoch(run.start), seconds / 28800 AS availability, (good + bad) / seconds AS performance,
       good / (good + bad) AS quality, good / 28800.0 AS oee
FROM run JOIN counts USING (asset, start) ORDER BY 1, 2
"""


def iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def shifts(server: Andon, first: int, last: int) -> bytes:
    asked = urllib.parse.urlencode({"window": "shift", "from": iso(first), "to": iso(last)})
    return server.get(f"/api/oee?{asked}")[1]


def figures(server: Andon, first: int, last: int) -> dict:
    rows = json.loads(shifts(server, first, last))["rows"]
    return {(row["asset"], row["start"]): row["figures"]["oee"] for row in rows}


def board(arguments) -> list[Comparison]:
    machines, days, every = 50, arguments.days, 10
    # Whole shifts, the last of which ended an hour ago at least.
    last = (int(time.time()) - 3_600 - 6 * 3_600) // (8 * 3_600) * (8 * 3_600) + 6 * 3_600
    first = last - days * DAY
    server = Andon(arguments.folder / "Andon", board_plant(machines))
    try:
        server.start()
        before = server.cpu_seconds()
        rows = list(month(machines, days, last, every))
        client.send(server.port, "/write?precision=s", client.Load([rows], 0, 0.0, 0))
        expected = machines * days * 3
        done = lambda: sum(value is not None for value in figures(server, first, last).values()) >= expected
        wait_until("the month's figures", done, 1_800, 2)
        quiet = settled(server)
        everything = server.cpu_seconds() - before
        server.compact()
        # One late sample, thirty days back, several times: the process's CPU until its revision is told, and what idling costs taken off.
        one = []
        for number in range(arguments.pairs):
            idle = idling(server, 3)
            before, began = server.cpu_seconds(), time.monotonic()
            revisions = f"SELECT count(*) FROM events WHERE kind = 'revision' AND time > '{iso(int(time.time()) - 1)}'"
            text = f"m,asset=Machine\\ {number} running=f {first + 4_000}\nm,asset=Machine\\ {number} running=t {first + 4_200}\n"
            client.send(server.port, "/write?precision=s", client.Load([[text.encode()]], 2, 0.0, 2))
            wait_until("a revision", lambda: int(server.sql(revisions)[0][0]) > 0, 60, 1.0)
            one.append(max(server.cpu_seconds() - before - idle * (time.monotonic() - began), 1e-3))
        late = Comparison(
            f"one late stop, {days} days back, against all of {machines} machines × {days * 3} shifts",
            "CPU s",
            "everything, with taking the samples in",
            one,
            [everything] * len(one),
            higher_is_better=False,
            floor=1 / 1_000,
            more={"process's CPU at rest, share of a core": f"{idling(server, 5):.4f}", "quiet after, s": f"{quiet:.0f}"},
        )
        server.stop()
        server.start()
        peer = DuckDB(server.data / "history" / "samples", 2)
        statement = DUCKDB.format(first=iso(first), last=iso(last))
        ours, theirs = [], []
        for number in range(1 + arguments.pairs):
            began = time.monotonic()
            answer = peer.ask(statement)
            took = (time.monotonic() - began) * 1e3
            mine = []
            for _ in range(20):
                began = time.monotonic()
                shifts(server, first, last)
                mine.append((time.monotonic() - began) * 1e3)
            if number:
                theirs.append(took)
                ours.append(float(np.quantile(mine, 0.95)))
        got = figures(server, first, last)
        by_hand = {(asset, start): oee for asset, start, *_, oee in answer}
        told = {(asset, instant(start)): oee for (asset, start), oee in got.items()}
        assert len(told) == expected, f"{len(told)} rows, expected {expected}"
        # A counter's first value has no step before it, so the first shift differs by what was made in its first seconds.
        other = [key for key, oee in told.items() if key[1] > first and abs(oee - float(by_hand[key])) > 2e-3]
        assert len(other) <= machines, f"{len(other)} figures differ, such as {[(key, told[key], by_hand[key]) for key in other[:3]]}"
        count = server.sql("SELECT count(*) FROM samples WHERE property IN ('running', 'good', 'bad')")[0][0]
        refresh = Comparison(
            f"OEE board of {machines} machines over {days} days, 95 % of 20 refreshes until the answer is there, against SQL on {int(count):,} raw samples",
            "ms",
            "DuckDB on raw",
            ours,
            theirs,
            higher_is_better=False,
            floor=1 / 50,
            goal=1 / 200,
            more={"our answer, rows": f"{expected:,}"},
        )
        return [late, refresh]
    finally:
        server.remove()


def instant(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def settled(server: Andon, seconds: float = 5) -> float:
    """Waits until the process does next to nothing."""
    began = time.monotonic()
    while idling(server, seconds) > 0.05:
        if time.monotonic() - began > 600:
            raise RuntimeError("the server does not come to rest")
    return time.monotonic() - began


def idling(server: Andon, seconds: float) -> float:
    """Share of a core that it takes now."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / seconds


def metrics(arguments) -> Result:
    go_ahead()
    return Result(
        "metrics",
        "Transforms and metric windows",
        "Transforms: line protocol over one connection with and without them, the difference of CPU is theirs. Many assets: samples as time goes on, "
        "four whole minutes; every figure was there.",
        [transforms(arguments), many(arguments)],
        {"Andon": servers.versions()["Andon"]},
    )


def oee(arguments) -> Result:
    go_ahead()
    return Result(
        "oee",
        "OEE: one late sample, and the board of a month",
        "A counter every 10 s and the states of 50 machines over a month, sent as one late load; the figures were compared with those of the SQL statement.",
        board(arguments),
        {"Andon": servers.versions()["Andon"], "duckdb": servers.versions()["duckdb"]},
    )
