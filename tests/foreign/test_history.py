"""The history folder is open: Python's `deltalake` reads it, DuckDB queries it, and both agree with our own SQL."""

import duckdb
from deltalake import DeltaTable


def test_delta_and_duckdb_agree_with_our_sql(andon_demo):
    demo = andon_demo("--history", "6h", "--calm")
    # Everything older than the start of the demo is in files; what is collected now is partly still in the log.
    border = demo.sql("SELECT date_trunc('hour', now() - INTERVAL '1 hour')")[0][0]
    ours = demo.sql(f"SELECT count(*), sum(double), sum(\"integer\") FROM samples WHERE time < '{border}'")[0]
    assert ours[0] > 10_000

    points = DeltaTable(str(demo.folder / "history" / "samples")).to_pyarrow_dataset()
    rows = duckdb.sql(f"SELECT count(*), sum(double), sum(\"integer\") FROM points WHERE time < TIMESTAMPTZ '{border}'").fetchall()[0]
    assert rows[0] == ours[0]
    assert abs(rows[1] - ours[1]) <= 1e-9 * abs(ours[1])
    assert int(rows[2]) == int(ours[2])
