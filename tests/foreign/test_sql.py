"""The same questions to Andon and to DuckDB over the same Delta table, equal within 1e-9; and every example of docs/sql.md."""

import datetime
import http.client
import itertools
import json
import math
import pathlib
import random
import re
import subprocess
import time
import urllib.request

import duckdb
import pytest
from conftest import ANDON
from deltalake import DeltaTable

SEED = 20260302
DOCS = pathlib.Path(__file__).parents[2] / "docs" / "sql.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six hours of the demo plant, all in files; nobody writes it any more."""
    folder = tmp_path_factory.mktemp("sql") / "demo"
    from conftest import Andon

    demo = Andon(["demo", "--listen", "127.0.0.1:0", "--keep", str(folder), "--history", "6h", "--seed", str(SEED)])
    demo.wait_ready(300)
    assert demo.stop() == 0
    return folder


@pytest.fixture(scope="module")
def duck(folder):
    """DuckDB with the rows of the table, each with the names Andon's own view has."""
    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    points = DeltaTable(str(folder / "history" / "samples")).to_pyarrow_dataset()
    connection.register("points", points)
    # Of rows with the same series, time and quality the one written last counts.
    connection.sql(
        """
        CREATE TABLE samples AS
        SELECT asset, property, time, coalesce("double", CAST("integer" AS DOUBLE), CAST("boolean" AS INTEGER)) AS value,
               "double", "integer", "boolean", "string",
               CASE quality WHEN 0 THEN 'good' WHEN 1 THEN 'uncertain' ELSE 'bad' END AS quality
        FROM points
        QUALIFY row_number() OVER (PARTITION BY series, time, nanos, quality ORDER BY seq DESC) = 1
        """
    )
    return connection


def ask_andon(folder, statement):
    done = subprocess.run(
        [ANDON, "query", "--data", str(folder), "-o", "json", statement], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{statement}: {done.stderr}"
    return [list(row.values()) for row in json.loads(done.stdout)]


def plain(cell):
    """A cell as a number, a text or none, whichever engine it is from."""
    if isinstance(cell, datetime.datetime):
        return cell.astimezone(datetime.timezone.utc).timestamp()
    if isinstance(cell, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", cell):
        return datetime.datetime.fromisoformat(cell).timestamp()
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, (int, float)) or hasattr(cell, "as_integer_ratio"):
        return float(cell)
    return cell


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def sorted_rows(rows):
    # Numbers are compared within a tolerance, so they do not decide the order where something else does.
    key = lambda row: [(cell is None, str(type(cell)), round(cell, 6) if isinstance(cell, float) else str(cell)) for cell in row]
    return sorted(([plain(cell) for cell in row] for row in rows), key=lambda row: str(key(row)))


def assert_agree(folder, duck, ours, theirs=None):
    mine = sorted_rows(ask_andon(folder, ours))
    other = sorted_rows(duck.sql(theirs or ours).fetchall())
    assert len(mine) == len(other), f"{ours}\n{len(mine)} rows here, {len(other)} there"
    for left, right in zip(mine, other):
        assert all(map(same, left, right)) and len(left) == len(right), f"{ours}\n  here  {left}\n  there {right}"
    return len(mine)


PROPERTIES = ["fill_temp", "power", "speed", "good_count", "state", "running"]
WHERE = "asset = 'Line 2/Filler 2' AND property = '{}'"

# Statements that both engines understand word for word.
PLAIN = [
    "SELECT count(*), count(value), sum(value), avg(value), min(value), max(value), stddev(value) FROM samples",
    "SELECT asset, count(*) FROM samples GROUP BY asset",
    "SELECT property, count(DISTINCT asset), count(*) FROM samples GROUP BY property HAVING count(*) > 100",
    "SELECT quality, count(*) FROM samples GROUP BY quality",
    "SELECT asset, property, max(time) FROM samples GROUP BY asset, property",
    "SELECT asset, median(value) FROM samples WHERE property = 'fill_temp' GROUP BY asset",
    "SELECT DISTINCT string FROM samples WHERE property = 'reason'",
    "SELECT date_trunc('hour', time), count(*) FROM samples GROUP BY 1",
    "SELECT extract(minute FROM time), avg(value) FROM samples WHERE property = 'power' GROUP BY 1",
    "SELECT asset, corr(value, CAST(extract(minute FROM time) AS DOUBLE)) FROM samples WHERE property = 'power' GROUP BY asset",
    "SELECT count(*) FROM samples WHERE value IS NULL AND quality <> 'good'",
    "SELECT a.asset, count(*) FROM samples a JOIN samples b ON a.asset = b.asset AND a.time = b.time "
    "WHERE a.property = 'fill_temp' AND b.property = 'bowl_pressure' AND a.value > 76 GROUP BY a.asset",
    "SELECT asset, time, value FROM samples WHERE property = 'fill_temp' QUALIFY row_number() OVER (PARTITION BY asset ORDER BY time DESC, quality) = 1",
    "SELECT asset, sum(CASE WHEN value > before THEN 1 ELSE 0 END) FROM (SELECT asset, value, lag(value) OVER (PARTITION BY asset ORDER BY time, quality) "
    "AS before FROM samples WHERE property = 'speed') GROUP BY asset",
    "WITH hourly AS (SELECT asset, date_trunc('hour', time) AS hour, avg(value) AS mean FROM samples WHERE property = 'power' GROUP BY 1, 2) "
    "SELECT asset, max(mean) - min(mean) FROM hourly GROUP BY asset",
    "SELECT asset FROM samples WHERE property = 'power' EXCEPT SELECT asset FROM samples WHERE property = 'fill_temp'",
]

BUCKETS = [
    ("5m", "INTERVAL 5 MINUTE", ""),
    ("90s", "INTERVAL 90 SECOND", ""),
    ("1 hour", "INTERVAL 1 HOUR", ""),
]


def held(value, extra=""):
    """DuckDB's words for how long each value is held: until the next row."""
    return (
        f"SELECT *, {value} AS v, epoch_us(coalesce(lead(time) OVER (PARTITION BY asset ORDER BY time, quality), time)) - epoch_us(time) AS held "
        f"FROM samples WHERE {{where}}{extra}"
    )


def functions():
    """Our functions, and the same in plain SQL."""
    for property in PROPERTIES:
        where = WHERE.format(property)
        good = "CASE WHEN quality = 'good' THEN value END"
        rows = held(good).format(where=where)
        yield (
            f"SELECT time_weighted_avg(good(value, quality), time) FROM samples WHERE {where}",
            f"SELECT sum(v * held) / nullif(sum(held) FILTER (WHERE v IS NOT NULL), 0) FROM ({rows})",
        )
        yield (
            f"SELECT asset, state_duration(good(value, quality) > 6, time) FROM samples WHERE property = '{property}' GROUP BY asset",
            f"SELECT asset, CASE WHEN sum(held) FILTER (WHERE v IS NOT NULL) > 0 THEN coalesce(sum(held) FILTER (WHERE v > 6), 0) / 1e6 END "
            f"FROM ({held(good).format(where=f'''property = '{property}' ''')}) GROUP BY asset",
        )
        yield (
            f"SELECT asset, first(good(value, quality), time), last(good(value, quality), time) FROM samples WHERE property = '{property}' GROUP BY asset",
            f"SELECT asset, arg_min(value, time), arg_max(value, time) FROM samples WHERE property = '{property}' AND quality = 'good' GROUP BY asset "
            f"UNION ALL SELECT asset, NULL, NULL FROM samples WHERE property = '{property}' GROUP BY asset HAVING bool_and(quality <> 'good')",
        )
        yield (
            f"SELECT time, locf(value) OVER (ORDER BY time, quality) FROM samples WHERE {where}",
            f"SELECT time, last_value(value IGNORE NULLS) OVER (ORDER BY time, quality ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) "
            f"FROM samples WHERE {where}",
        )
    for property in ["good_count", "bad_count", "energy"]:
        yield (
            f"SELECT asset, increase(value, time) FROM samples WHERE property = '{property}' AND quality = 'good' GROUP BY asset",
            f"SELECT asset, sum(CASE WHEN before IS NULL THEN 0 WHEN value >= before THEN value - before ELSE value END) FROM "
            f"(SELECT asset, value, lag(value) OVER (PARTITION BY asset ORDER BY time) AS before FROM samples "
            f"WHERE property = '{property}' AND quality = 'good') GROUP BY asset",
        )
    for (width, interval, _), property in itertools.product(BUCKETS, ["fill_temp", "power"]):
        yield (
            f"SELECT asset, time_bucket('{width}', time), count(*), avg(value) FROM samples WHERE property = '{property}' GROUP BY 1, 2",
            f"SELECT asset, time_bucket({interval}, time, TIMESTAMPTZ '1970-01-01 00:00:00+00'), count(*), avg(value) FROM samples "
            f"WHERE property = '{property}' GROUP BY 1, 2",
        )
    yield (
        "SELECT time_bucket('1 day', time, 'Europe/Berlin'), count(*) FROM samples GROUP BY 1",
        "SELECT date_trunc('day', time AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin', count(*) FROM samples GROUP BY 1",
    )
    yield (
        "SELECT window_end('5m', time), count(*) FROM samples GROUP BY 1",
        "SELECT time_bucket(INTERVAL 5 MINUTE, time - INTERVAL 1 MICROSECOND, TIMESTAMPTZ '1970-01-01 00:00:00+00') + INTERVAL 5 MINUTE, "
        "count(*) FROM samples WHERE TRUE GROUP BY 1",
    )
    yield (
        "SELECT time, value_at('Line 2/Filler 2', 'fill_temp', time) FROM samples WHERE " + WHERE.format("power"),
        "SELECT p.time, t.value FROM (SELECT * FROM samples WHERE " + WHERE.format("power") + ") p ASOF LEFT JOIN "
        "(SELECT * FROM samples WHERE quality = 'good' AND " + WHERE.format("fill_temp") + ") t ON p.time >= t.time",
    )


def generated():
    """Random statements, the same at every run."""
    chance = random.Random(SEED)
    numbers = ["fill_temp", "power", "speed", "good_count", "bowl_pressure", "vibration", "motor_temp"]
    for _ in range(20):
        property, other = chance.sample(numbers, 2)
        measures = chance.sample(
            ["avg(value)", "min(value)", "max(value)", "sum(value)", "count(*)", "stddev(value)", "count(DISTINCT value)"], 3
        )
        group = chance.choice(["asset", "property", "asset, property", "date_trunc('minute', time)", "quality, asset"])
        threshold = round(chance.uniform(0, 90), 2)
        condition = chance.choice([
            f"value > {threshold}",
            f"value BETWEEN {threshold} AND {threshold + 30} OR quality = 'bad'",
            f"NOT (value < {threshold}) AND asset LIKE 'Line {chance.randint(1, 3)}%'",
            f"extract(minute FROM time) < {chance.randint(5, 55)}",
        ])
        yield f"SELECT {group}, {', '.join(measures)} FROM samples WHERE property IN ('{property}', '{other}') AND ({condition}) GROUP BY {group}"


def test_andon_and_duckdb_agree(folder, duck):
    questions = [(statement, statement) for statement in itertools.chain(PLAIN, generated())] + list(functions())
    assert len(questions) >= 40
    rows, failures = 0, []
    for ours, theirs in questions:
        try:
            rows += assert_agree(folder, duck, ours, theirs)
        except AssertionError as failure:
            failures.append(str(failure).split("\nassert")[0])
    print(f"seed {SEED}: {len(questions)} statements, {rows} rows agree")
    assert not failures, f"{len(failures)} of {len(questions)} differ\n" + "\n\n".join(failures)
    assert rows > 5_000


def test_every_example_of_the_manual_runs(andon_demo):
    demo = andon_demo("--history", "2h")
    examples = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(examples) >= 25
    # What a plant that began two hours ago cannot have: alarms of a certain kind, and values at a fixed date.
    may_be_empty = ("FROM events", "FROM transitions", "FROM alarms", "FROM commands")
    failures = []
    for example in examples:
        try:
            rows = demo.sql(example)
        except AssertionError as failure:
            failures.append(str(failure))
            continue
        if not rows and not any(word in example for word in may_be_empty):
            failures.append(f"no rows:\n{example}")
    assert not failures, "\n\n".join(failures)


def running_statements(demo):
    text = urllib.request.urlopen(demo.url + "/metrics", timeout=5).read().decode()
    found = re.search(r"^andon_statements_running (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def test_a_statement_ends_when_its_asker_goes_away(andon_demo):
    demo = andon_demo("--history", "10m")
    host = demo.url.removeprefix("http://")
    heavy = "SELECT count(*) FROM samples a, samples b, samples c WHERE a.value + b.value + c.value < -1"
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/api/sql", json.dumps({"sql": heavy}), {"content-type": "application/json"})

    def wait_until(wanted, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if running_statements(demo) == wanted:
                return True
            time.sleep(0.05)
        return False

    assert wait_until(1, 60), running_statements(demo)
    connection.close()
    # After 30 s it would end by its own time limit.
    assert wait_until(0, 25), running_statements(demo)
