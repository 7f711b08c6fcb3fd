"""In and out with tools of others: pandas writes what is imported, DuckDB and pyarrow read what is exported, and a backup of a plant
that is killed while it runs loses nothing it had acknowledged."""

import json
import signal
import subprocess

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from conftest import ANDON
from peers import wait_for

PLANT = """
plant: { name: Test, timezone: Europe/Berlin }
sources:
  plc: { modbus: 'tcp://127.0.0.1:9', unit: 1 }
models:
  press:
    measurements:
      temp: { unit: °C, from: holding/0 float32 @plc }
      good: { type: int, from: holding/2 @plc }
assets:
  Press A: { model: press, plc: plc }
  Press B: { model: press, plc: plc }
"""


def run(folder, *arguments):
    done = subprocess.run([ANDON, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_table_of_pyarrow_comes_in_and_duckdb_reads_what_goes_out(tmp_path):
    (tmp_path / "plant.yaml").write_text(PLANT)
    rows = 50_000
    start = 1_767_592_800_000_000_000
    wide = pa.table(
        {
            "time": pa.array([start + 1_000_001 * row for row in range(rows)], pa.timestamp("ns", "UTC")),
            "asset": pa.array(["Press A" if row % 2 else "Press B" for row in range(rows)]).dictionary_encode(),
            "temp": pa.array([None if row % 100 == 0 else 20 + row / 1_000 for row in range(rows)], pa.float32()),
            "good": pa.array(range(rows), pa.int32()),
        }
    )
    pq.write_table(wide, tmp_path / "wide.parquet", row_group_size=7_000)
    assert "imported 99 500 rows of 4 series" in run(tmp_path, "import", "wide.parquet", "--plant", "plant.yaml")
    expected = duckdb.sql("SELECT count(temp), sum(temp::DOUBLE), count(good), sum(good) FROM wide").fetchall()[0]
    for name in ["all.parquet", "all.csv"]:
        run(tmp_path, "export", "-o", name)
        value = "coalesce(double, integer)" if name == "all.parquet" else "value"
        out = duckdb.sql(
            f"""SELECT count(*) FILTER (property = 'temp'), sum({value}) FILTER (property = 'temp'),
                       count(*) FILTER (property = 'good'), sum({value}) FILTER (property = 'good')
                FROM '{tmp_path / name}'"""
        ).fetchall()[0]
        assert out[0] == expected[0] and out[2] == expected[2] and out[3] == expected[3], name
        assert abs(out[1] - expected[1]) <= 1e-9 * abs(expected[1]), name
    exported = pq.read_table(tmp_path / "all.parquet")
    assert exported.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert exported["time"].cast(pa.int64())[0].as_py() % 1_000_001 == start % 1_000_001


def test_a_table_of_pandas_with_local_times_comes_in(tmp_path):
    pandas = __import__("pytest").importorskip("pandas")
    (tmp_path / "plant.yaml").write_text(PLANT)
    table = pandas.DataFrame(
        {
            "time": pandas.date_range("2026-10-24 22:00", periods=10, freq="h"),
            "asset": "Press A",
            "temp": [20.5, None, *range(8)],
        }
    )
    table.to_parquet(tmp_path / "pandas.parquet")
    table.to_csv(tmp_path / "pandas.csv")
    for name in ["pandas.parquet", "pandas.csv"]:
        shown = run(tmp_path, "import", name, "--plant", "plant.yaml", "--timezone", "Europe/Berlin", "--data", name + "-data")
        assert "imported 9 rows of 1 series, 2026-10-24T20:00:00Z to 2026-10-25T06:00:00Z" in shown


def test_a_backup_of_a_running_plant_that_is_killed_loses_nothing(andon_demo, tmp_path):
    demo = andon_demo("--history", "1h", "--calm", "--speed", "20")
    wait_for("live points", lambda: demo.sql("SELECT count(*) FROM samples WHERE time > now() - INTERVAL '1 minute'")[0][0] > 500, 60)
    # What a query has seen may be a moment ahead of the disk; some records later it is on it.
    border = demo.sql("SELECT max(time) FROM samples")[0][0]
    statement = f"SELECT asset, property, count(*) AS rows FROM samples WHERE time <= '{border}' GROUP BY 1, 2"
    seen = demo.sql(statement)
    record = demo.sql("SELECT max(seq) FROM samples")[0][0]
    wait_for("later records", lambda: demo.sql("SELECT max(seq) FROM samples")[0][0] > record + 5, 60)
    run(tmp_path, "backup", "--data", str(demo.folder), "-o", "live.tar.zst")
    demo.process.send_signal(signal.SIGKILL)
    demo.process.wait(20)
    assert "whole" in run(tmp_path, "backup", "verify", "live.tar.zst")
    run(tmp_path, "restore", "live.tar.zst", "--data", "restored")
    # The restored folder answers as the killed one did; the killed one itself has lost nothing either.
    for folder in ["restored", str(demo.folder)]:
        answer = json.loads(run(tmp_path, "query", "--data", folder, "-o", "json", statement))
        back = {(row["asset"], row["property"]): row["rows"] for row in answer}
        for asset, prop, count in seen:
            assert back.get((asset, prop), 0) >= count, f"{folder}: {asset}/{prop}: {back.get((asset, prop))} of {count}"
    notices = json.loads(run(tmp_path, "query", "--data", "restored", "-o", "json", "SELECT message FROM events"))
    assert any("restored from a backup" in (row["message"] or "") for row in notices)
