"""PostgreSQL's wire protocol, asked by clients that others wrote: psql, psycopg, SQLAlchemy, asyncpg, and raw bytes."""

import asyncio
import datetime
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import urllib.request

import asyncpg
import psycopg
import pytest
import sqlalchemy
from conftest import Andon
from peers import wait_for

psql_is_missing = shutil.which("psql") is None


class Server:
    """A demo with SQL clients allowed."""

    def __init__(self, folder, *more):
        self.folder = folder
        arguments = ["--listen", "127.0.0.1:0", "--sql-listen", "127.0.0.1:0", "--history", "6h", "--calm", "--keep", str(folder)]
        self.andon = Andon(["demo", *arguments, *more])
        self.andon.wait_ready(180)
        told = "\n".join(self.andon.lines)
        self.port = int(re.search(r"SQL clients connect to 127\.0\.0\.1:(\d+)", told).group(1))
        self.password = re.search(r"log in as demo with the password (\S+)", told).group(1)
        self.dsn = f"host=127.0.0.1 port={self.port} user=demo password={self.password} dbname=andon"

    def connect(self, **options):
        return psycopg.connect(self.dsn, **options)

    def psql(self, *arguments, password=None, **options):
        environment = {**os.environ, "PGPASSWORD": password or self.password}
        command = ["psql", "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", "demo", "andon", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("postgres") / "data")
    yield server
    assert server.andon.stop() == 0


@pytest.fixture
def connection(server):
    with server.connect(autocommit=True) as connection:
        yield connection


def rows(connection, statement, parameters=None, **options):
    return connection.execute(statement, parameters, **options).fetchall()


@pytest.mark.skipif(psql_is_missing, reason="psql is not installed")
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (r"\d", ["samples", "alarms", "view", "table", "plant"]),
        (r"\dt", ["samples", "asset_property"]),
        (r"\dv", ["alarms", "commands"]),
        (r"\d samples", ["timestamp with time zone", "double precision", "asset"]),
        (r"\d+ samples", ["timestamp with time zone"]),
        (r"\d alarms", ["View", "priority", "not null"]),
        (r"\dn", ["plant"]),
        (r"\l", ["andon", "UTF8"]),
        (r"\df time_b*", ["time_bucket"]),
        (r"\df", ["date_trunc", "agg", "window"]),
        (r"\du", ["demo"]),
        (r"\dT", []),
        (r"\di", []),
        (r"\conninfo", ['user "demo"']),
        ("SHOW server_version", ["15.0"]),
        ("SHOW ALL", ["search_path"]),
        ("SELECT version()", ["PostgreSQL 15.0 (Andon"]),
        ("EXPLAIN SELECT count(*) FROM samples", ["Aggregate"]),
    ],
)
def test_psql_finds_its_way(server, command, expected):
    done = server.psql("-v", "ON_ERROR_STOP=1", "-c", command)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    for word in expected:
        assert word in done.stdout, done.stdout


@pytest.mark.skipif(psql_is_missing, reason="psql is not installed")
def test_psql_reads_through_a_cursor_and_several_statements_at_once(server):
    done = server.psql("-At", "--set", "FETCH_COUNT=1000", "-c", "SELECT value FROM generate_series(1, 5000)")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 5000
    done = server.psql("-At", "-c", "SELECT 1; SELECT ';' AS a; SELECT 3")
    assert done.stdout.split() == ["1", ";", "3"]


def test_types_and_parameters_in_both_forms(connection):
    moment = datetime.datetime(2026, 1, 31, 12, 30, 0, 250_000, tzinfo=datetime.timezone.utc)
    for binary in [False, True]:
        statement = (
            "SELECT CAST(1 AS SMALLINT) a, CAST(2 AS INT) b, CAST(3 AS BIGINT) c, CAST(0.5 AS REAL) d, CAST(1.25 AS DOUBLE) e, "
            "'ä' f, true g, NULL h, TIMESTAMPTZ '2026-01-31T12:30:00.25Z' i, CAST(12.34 AS DECIMAL(10, 2)) j, "
            "DATE '2026-01-31' k, ARRAY[1, 2] l, INTERVAL '90 minutes' m"
        )
        row = rows(connection, statement, binary=binary)[0]
        expected = (1, 2, 3, 0.5, 1.25, "ä", True, None, moment, row[9], moment.date(), [1, 2], datetime.timedelta(minutes=90))
        assert row == expected
        assert float(row[9]) == 12.34
        found = rows(
            connection,
            "SELECT asset, property, \"time\", value FROM samples WHERE asset = %s AND value > %s AND \"time\" > %s "
            "AND quality = ANY(%s) ORDER BY \"time\" LIMIT %s",
            ["Site 1/Line 1/Filler 1", 0, moment.replace(year=2020), ["good"], 5],
            binary=binary,
        )
        assert len(found) <= 5
        values = [5, 2**40, 1.5, "it's", moment, True, None]
        assert rows(connection, "SELECT %s::int, %s::bigint, %s::double, %s::text, %s::timestamptz, %s::bool, %s::text", values, binary=binary)[0] == tuple(values)


def test_a_large_answer_streams(connection):
    counted = 0
    with connection.cursor() as cursor:
        for _row in cursor.stream("SELECT value AS n, value * 0.5 AS half, 'a text' AS word FROM generate_series(1, 200000)"):
            counted += 1
    assert counted == 200_000


def test_cursors_and_transactions(server):
    with server.connect() as connection:
        with connection.cursor("named") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT value FROM generate_series(1, 1000)")
            assert sum(row[0] for row in cursor) == 500_500
        connection.rollback()
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nothing_like_it")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.rollback()
        with connection.transaction():
            assert rows(connection, "SELECT 1") == [(1,)]


WRITES = [
    "INSERT INTO samples VALUES (1)",
    "UPDATE samples SET value = 1",
    "DELETE FROM samples",
    "DROP TABLE samples",
    "CREATE TABLE t (a INT)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "TRUNCATE samples",
    "ALTER TABLE samples ADD COLUMN x INT",
    "COPY samples TO STDOUT",
    "COPY (SELECT 1) TO '{file}'",
    "/* innocent */ COPY (SELECT 1) TO '{file}' STORED AS CSV",
    "SET TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "EXPLAIN ANALYZE SELECT 1",
    "WITH a AS (INSERT INTO samples VALUES (1) RETURNING *) SELECT * FROM a",
]


@pytest.mark.parametrize("statement", WRITES)
@pytest.mark.parametrize("prepare", [False, True])
def test_what_writes_is_refused(server, connection, tmp_path, statement, prepare):
    file = tmp_path / "written"
    statement = statement.format(file=file)
    with pytest.raises(psycopg.Error) as refused:
        if prepare:
            connection.execute(statement.replace("%", "%%"), [], prepare=True)
        else:
            result = connection.pgconn.exec_(statement.encode())
            if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
    assert refused.value.sqlstate in {"25006", "42601", "0A000"}, refused.value
    assert not file.exists()
    assert rows(connection, "SELECT count(*) > 0 FROM samples") == [(True,)]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nothing_like_it", "42P01"),
        ("SELECT nothing_like_it FROM samples", "42703"),
        ("SELECT nothing_like_it(1)", "42883"),
        ("SELECT 1/0", "22012"),
        ("SELECT count(DISTINCT concat(a.alias, b.alias, a.time, b.time)) FROM samples a, samples b, samples c", None),
        ("SELECT " + "+".join(["1"] * 3000), "54000"),
        ("SHOW nothing_like_it", "42704"),
    ],
)
def test_errors_have_their_codes(connection, statement, code):
    connection.execute("SET statement_timeout = '5s'")
    with pytest.raises(psycopg.Error) as error:
        connection.execute(statement)
    assert error.value.sqlstate in ({code} if code else {"53200", "57014"}), error.value
    assert rows(connection, "SELECT 1") == [(1,)]


# Counts for days, and needs no memory.
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000)"


def test_a_statement_ends_in_time_or_when_it_is_cancelled(server, connection):
    # The statement before may have needed all memory, and give it back only now.
    wait_for("memory being free", lambda: succeeds(connection, "SELECT count(*) FROM samples a JOIN samples b ON a.series = b.series AND a.time = b.time"), 120)
    connection.execute("SET statement_timeout = 300")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(ENDLESS)
    connection.execute("SET statement_timeout = 0")
    ended = threading.Event()

    def cancel_until_it_ends():
        # It counts only while the statement runs; when that is, nobody else knows.
        while not ended.wait(0.5):
            connection.cancel()

    canceller = threading.Thread(target=cancel_until_it_ends)
    canceller.start()
    try:
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(ENDLESS)
    finally:
        ended.set()
        canceller.join()
    assert rows(connection, "SELECT 1") == [(1,)]


def succeeds(connection, statement):
    try:
        connection.execute(statement)
        return True
    except psycopg.Error:
        return False


def statements_running(server):
    with urllib.request.urlopen(server.andon.url + "/metrics", timeout=30) as answer:
        return float(re.search(r"^andon_statements_running (\S+)", answer.read().decode(), re.MULTILINE).group(1))


def test_a_client_that_goes_away_ends_its_statement(server):
    gone = [server.connect(autocommit=True) for _ in range(2)]
    for connection in gone:
        connection.execute("SET statement_timeout = 0")
        connection.pgconn.send_query(ENDLESS.encode())
        connection.pgconn.flush()
    wait_for("both statements running", lambda: statements_running(server) == 2, 60)
    for connection in gone:
        # Without a good-bye, as if the process had died.
        socket.socket(fileno=os.dup(connection.pgconn.socket)).shutdown(socket.SHUT_RDWR)
        connection.pgconn.finish()
    wait_for("the statements ending", lambda: statements_running(server) == 0, 60)


def test_a_wrong_password_or_name_does_not_get_in(server):
    for user, password in [("demo", "wrong password"), ("nobody", server.password), ("demo", "")]:
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg.connect(host="127.0.0.1", port=server.port, user=user, password=password or "x", dbname="andon")
        assert f'password authentication failed for user "{user}"' in str(refused.value)
    with server.connect() as connection:
        assert rows(connection, "SELECT current_user") == [("demo",)]


def test_users_are_added_and_removed_while_it_runs(server):
    def sql_user(*arguments, **options):
        command = [os.environ.get("ANDON_BIN") or "target/debug/andon", "sql-user", *arguments, "--data", str(server.folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, **options)

    added = sql_user("add", "ann", "--generate")
    assert added.returncode == 0, added.stderr
    password = added.stdout.strip()
    with psycopg.connect(host="127.0.0.1", port=server.port, user="ann", password=password, dbname="andon") as connection:
        assert rows(connection, "SELECT current_user") == [("ann",)]
    assert sql_user("add", "bob", input="from standard input\n").returncode == 0
    with psycopg.connect(host="127.0.0.1", port=server.port, user="bob", password="from standard input", dbname="andon"):
        pass
    assert sql_user("list").stdout.split() == ["ann", "bob", "demo"]
    assert sql_user("remove", "ann").returncode == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=server.port, user="ann", password=password, dbname="andon")


def test_connections_share_no_state(server):
    with server.connect(autocommit=True) as one, server.connect(autocommit=True) as two:
        one.execute("SET application_name = 'one'")
        one.execute("SET search_path = elsewhere")
        one.execute("SELECT %s::int", [1], prepare=True)
        assert rows(one, "SHOW application_name") == [("one",)]
        assert rows(two, "SHOW application_name") == [("",)]
        assert rows(two, "SELECT current_setting('search_path')") == [("plant",)]


def test_fifty_connections_at_once_and_no_more_than_there_are_places(server):
    connections = [server.connect(autocommit=True) for _ in range(50)]
    try:
        for connection in connections:
            connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000)")
        for connection in connections:
            assert connection.pgconn.get_result().get_value(0, 0) == b"1000"
        with pytest.raises(psycopg.OperationalError, match="connections already"):
            for _ in range(60):
                connections.append(server.connect())
    finally:
        for connection in connections:
            connection.close()

    def room():
        try:
            server.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    wait_for("a place being free again", room, 60)


def test_bytes_that_make_no_sense_harm_nobody(server):
    start = struct.pack(">ii", 8, 80877103)
    names = b"user\0demo\0database\0andon\0\0"
    log_in = struct.pack(">ii", 8 + len(names), 3 << 16) + names
    for garbage in [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00" * 10,
        struct.pack(">i", 2**31 - 1),
        struct.pack(">i", -1) + b"x" * 100,
        start * 50,
        start + log_in,
        log_in + b"p\x00\x00\x00\x04",
        log_in + b"p\xff\xff\xff\xff",
        log_in + b"Q\x00\x00\x00\x0dDROP TABLE\0",
        struct.pack(">ii", 12, 3 << 16) + b"user",
        os.urandom(5000),
    ]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
            try:
                raw.sendall(garbage)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
            except OSError:
                pass
    with server.connect(autocommit=True) as connection:
        fd = connection.pgconn.socket
        os.write(fd, b"B\x00\x00\x00\x0a\x00\x00\xff\xff\xff\xff")
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1")
    with server.connect() as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
    assert not any("panicked" in line for line in server.andon.lines)


def test_a_handshake_that_takes_for_ever_is_ended(server):
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=40) for _ in range(20)]
    for raw in slow:
        raw.sendall(b"\x00\x00")
    with server.connect() as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
    for raw in slow:
        assert raw.recv(1) == b""
        raw.close()


def test_sqlalchemy_reflects_tables_and_views(server):
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://demo:{server.password}@127.0.0.1:{server.port}/andon")
    inspector = sqlalchemy.inspect(engine)
    assert "plant" in inspector.get_schema_names()
    assert {"samples", "asset"} <= set(inspector.get_table_names())
    assert "alarms" in inspector.get_view_names()
    columns = {column["name"]: column["type"] for column in inspector.get_columns("samples")}
    assert isinstance(columns["time"], sqlalchemy.TIMESTAMP) and columns["time"].timezone
    assert isinstance(columns["value"], sqlalchemy.DOUBLE_PRECISION)
    assert inspector.get_pk_constraint("samples")["constrained_columns"] == []
    assert inspector.get_foreign_keys("samples") == [] and inspector.get_indexes("samples") == []
    table = sqlalchemy.Table("samples", sqlalchemy.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        query = sqlalchemy.select(sqlalchemy.func.count()).select_from(table).where(table.c.quality == "good")
        assert connection.execute(query).scalar() > 0
    engine.dispose()


def test_asyncpg_prepares_and_fetches(server):
    async def ask():
        connection = await asyncpg.connect(
            host="127.0.0.1", port=server.port, user="demo", password=server.password, database="andon"
        )
        row = await connection.fetchrow("SELECT $1::int AS a, $2::text AS b, $3::double AS c", 5, "x", 1.5)
        assert tuple(row) == (5, "x", 1.5)
        async with connection.transaction():
            total = 0
            async for row in connection.cursor("SELECT value FROM generate_series(1, 500)"):
                total += row["value"]
            assert total == 125_250
        await connection.close()

    asyncio.run(ask())


SEARCH_PATH = """quote_ident(table_schema) IN (
  SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
  FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1),
    array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
    string_to_array(current_setting('search_path'),',') s)"""


def test_grafana_finds_tables_and_columns(connection):
    assert rows(connection, "SELECT current_setting('server_version_num')::int/100 as version") == [(1500,)]
    assert rows(connection, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'") == []
    schemas = rows(connection, "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'pg_catalog')")
    assert schemas == [("plant",)]
    tables = rows(
        connection,
        f"""SELECT CASE WHEN {SEARCH_PATH} THEN quote_ident(table_name)
          ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
        FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')
        ORDER BY CASE WHEN {SEARCH_PATH} THEN 0 ELSE 1 END, 1""",
    )
    assert {("samples",), ("alarms",)} <= set(tables)
    columns = rows(
        connection,
        f"""SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE
          CASE WHEN array_length(parse_ident('samples'),1) = 2
            THEN quote_ident(table_schema) = (parse_ident('samples'))[1] AND quote_ident(table_name) = (parse_ident('samples'))[2]
            ELSE quote_ident(table_name) = 'samples' AND {SEARCH_PATH} END""",
    )
    assert ("time", "timestamp with time zone") in columns and ("value", "double precision") in columns


def test_grafana_macros(connection):
    """What $__timeGroup, $__timeFilter and the others become, as Grafana's documentation says."""
    now = datetime.datetime.now(datetime.timezone.utc)
    start, end = ((now - datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (5, 0))
    epoch = int(now.timestamp())
    grouped = rows(
        connection,
        f"""SELECT floor(extract(epoch from time)/300)*300 AS "time", asset AS metric, avg(value) AS value FROM samples
        WHERE time BETWEEN '{start}' AND '{end}' AND property = 'fill_temp' GROUP BY 1, 2 ORDER BY 1, 2""",
    )
    assert len(grouped) > 50 and all(bucket[0] % 300 == 0 for bucket in grouped)
    for condition in [
        f"time BETWEEN '{start}' AND '{end}'",
        f"time BETWEEN '{start}'::timestamptz AND '{end}'::timestamptz",
        f"time >= '{start}' AND time <= '{end}'",
        f"extract(epoch from time) >= {epoch - 18000} AND extract(epoch from time) <= {epoch}",
        f"time > to_timestamp({epoch - 18000})",
        "time > now() - INTERVAL '5 hours'",
    ]:
        assert rows(connection, f"SELECT count(*) > 0 FROM samples WHERE {condition}") == [(True,)], condition
    for column in [
        'extract(epoch from time) AS "time"',
        "time AS \"time\"",
        "date_trunc('hour', time) AS \"time\"",
        "floor((extract(epoch from time)*1000)/60000)*60000 AS \"time\"",
        "time_bucket('5 minutes', time) AS \"time\"",
    ]:
        assert rows(connection, f"SELECT {column}, value FROM samples WHERE time > '{start}' LIMIT 1"), column


def test_catalogue_as_jdbc_tools_ask_it(connection):
    tables = rows(
        connection,
        """SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME,
         CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE'
           WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END ELSE NULL END AS TABLE_TYPE,
         d.description AS REMARKS
        FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass)
        WHERE c.relnamespace = n.oid AND n.nspname LIKE 'plant' ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME""",
    )
    assert ("plant", "samples", "TABLE", "all values of all properties, one row each") in {row[1:] for row in tables}
    columns = rows(
        connection,
        """SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value, dsc.description, dep.objid
        FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)
        LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)
        LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
        LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum
          and dep.classid = dep.refclassid
        WHERE NOT a.attisdropped AND c.oid = 'plant.samples'::regclass AND a.attnum > 0 ORDER BY a.attnum""",
    )
    assert len(columns) > 8
    rows(
        connection,
        """SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
        LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass
        ORDER BY nspname""",
    )
    rows(
        connection,
        """SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,
          pg_catalog.pg_get_partkeydef(c.oid) as partition_key FROM pg_catalog.pg_class c
        LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass
        WHERE c.relnamespace=16384 AND c.relkind not in ('i','I','c')""",
    )
    rows(
        connection,
        """SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
        FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem
        LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid
        LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid
        WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')""",
    )
    assert rows(connection, "SELECT 'samples'::regclass::text, 'int4'::regtype::oid") == [("samples", 23)]
    assert rows(connection, "SELECT current_database(), current_schema(), current_user, session_user") == [
        ("andon", "plant", "demo", "demo")
    ]


PLANT = """
plant: { name: Test, timezone: UTC }
models: { press: { attributes: { rate: { default: 5 } } } }
assets: { Press A: { model: press } }
"""


def refused(tmp_path, *arguments):
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT)
    andon = Andon(["run", str(file), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", *arguments])
    try:
        andon.process.wait(60)
        wait_for("its last words", lambda: any("andon:" in line for line in andon.lines), 60)
    finally:
        andon.stop()
    assert andon.process.returncode == 1
    return "\n".join(andon.lines)


def test_the_port_stays_closed_without_a_user_and_beyond_loopback_without_encryption(tmp_path):
    assert "andon sql-user add" in refused(tmp_path, "--sql-listen", "127.0.0.1:0")
    assert "--sql-tls-cert" in refused(tmp_path, "--sql-listen", "0.0.0.0:0")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_with_a_certificate_only_encrypted_connections_get_in(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout".split()
    subprocess.run([*make, key, "-out", certificate], check=True, capture_output=True)
    server = Server(tmp_path / "data", "--sql-tls-cert", str(certificate), "--sql-tls-key", str(key))
    try:
        with psycopg.connect(server.dsn, sslmode="verify-ca", sslrootcert=str(certificate)) as connection:
            assert rows(connection, "SELECT 1") == [(1,)]
        with pytest.raises(psycopg.OperationalError, match="sslmode=require"):
            psycopg.connect(server.dsn, sslmode="disable")
    finally:
        server.andon.stop()
