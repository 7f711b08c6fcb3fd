"""Durable ingest, side by side: line protocol against InfluxDB and VictoriaMetrics, binary batches against PostgreSQL."""

import statistics
from pathlib import Path

import client
from plant import Plant
from results import Comparison, Result, alternately
from servers import Andon, InfluxDB, PostgreSQL, Server, VictoriaMetrics

TOLERANCE = 1e-9
"""Of sums: the order of additions differs."""


def checked(name: str, load: client.Load, found: tuple[int, float]) -> None:
    """A side whose answer is wrong has no time."""
    count, total = found
    if count != load.rows or abs(total - load.sum) > TOLERANCE * abs(load.sum):
        raise AssertionError(f"{name}: {count:,} rows with sum {total!r}, sent were {load.rows:,} with {load.sum!r}")


def once(kind: type[Server], folder: Path, load: client.Load, prepare, send, check) -> dict:
    """A fresh server takes the whole load."""
    server = kind(folder / kind.name)
    try:
        server.start()
        prepare(server)
        spent = server.cpu_seconds()
        sent = send(server, load)
        spent = server.cpu_seconds() - spent
        check(server)
        return {
            "rate": load.sent / sent.seconds,
            "cpu": spent / load.sent * 1e6,
            "client_cpu": sent.client_cpu_seconds / sent.seconds,
            "answers": sent.slowest_answers,
            "memory": server.memory() / 2**20,
            "refused": getattr(server, "refused", 0),
        }
    finally:
        server.remove()


def nothing(_: Server) -> None:
    pass


def middle(runs: list[dict], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def told(ours: list[dict], theirs: list[dict], load: client.Load) -> dict:
    """The other figures of both sides."""
    answers = lambda runs: " / ".join(
        f"{statistics.median(run['answers'][which] for run in runs) * 1e3:.1f}" for which in (0, 1, 2)
    )
    return {
        "bytes per row sent": f"{load.bytes / load.rows:.1f}",
        "client's share of a core": f"{middle(ours, 'client_cpu'):.2f} : {middle(theirs, 'client_cpu'):.2f}",
        "answer in ms (50 %, 99 %, longest)": f"{answers(ours)} : {answers(theirs)}",
        "memory afterwards, MiB": f"{middle(ours, 'memory'):.0f} : {middle(theirs, 'memory'):.0f}",
    }


def against(
    name: str, peer: type[Server], load: client.Load, pairs: int, folder: Path, floor: float, goal: float, ours, theirs
) -> list[Comparison]:
    """The comparison of rates and of CPU time. `ours` and `theirs` are (prepare, send, check)."""
    ours, theirs = alternately(
        pairs,
        lambda: once(Andon, folder, load, *ours),
        lambda: once(peer, folder, load, *theirs),
    )
    rates = ([run["rate"] for run in ours], [run["rate"] for run in theirs])
    cpu = ([run["cpu"] for run in ours], [run["cpu"] for run in theirs])
    label = f"{peer.name}"
    return [
        Comparison(
            name, "rows/s", label, *rates, floor=floor, goal=goal, durability=f"D2 : {peer.durability}", more=told(ours, theirs, load)
        ),
        Comparison(f"{name}, server's CPU", "s per million rows", label, *cpu, higher_is_better=False),
    ]


def against_self(name: str, load: client.Load, usual: client.Load, send, arguments) -> Comparison:
    """One load against another, both into Andon."""

    def check(server: Andon, load: client.Load) -> None:
        server.flush()
        checked(name, load, server.count_and_sum())

    run = lambda load: once(Andon, arguments.folder, load, nothing, send, lambda server: check(server, load))
    ours, theirs = alternately(arguments.pairs, lambda: run(load), lambda: run(usual))
    rates = ([run["rate"] for run in ours], [run["rate"] for run in theirs])
    more = told(ours, theirs, load)
    more["CPU seconds per million rows"] = f"{middle(ours, 'cpu'):.2f} : {middle(theirs, 'cpu'):.2f}"
    return Comparison(name, "rows/s", "Andon, in order", *rates, floor=0.7, goal=0.9, durability="D2 : D2", more=more)


def line_protocol(peer: type[Server], batch: int, floor: float, goal: float, arguments, bench: str) -> Result:
    plant = Plant()
    comparisons = []
    for connections in arguments.connections:
        load = client.lines(plant, arguments.rows, batch, connections)

        def check(server: Server) -> None:
            server.flush()
            checked(server.name, load, server.count_and_sum())

        side = (nothing, lambda server, load: client.send(server.port, server.write_path(), load), check)
        name = f"{connections} connection" + ("s" if connections > 1 else "")
        comparisons += against(name, peer, load, arguments.pairs, arguments.folder, floor, goal, side, side)
        del load
    return Result(
        bench,
        f"Line protocol over HTTP, batches of {batch:,}, against {peer.name}",
        f"{arguments.rows:,} samples of plant-10k (10,000 series), one a line, in order of time; a fresh server each time; "
        "the same bodies, made beforehand, for both.",
        comparisons,
    )


def influxdb(arguments) -> Result:
    return line_protocol(InfluxDB, 1_000, 3, 5, arguments, "ingest-influxdb")


def victoriametrics(arguments) -> Result:
    return line_protocol(VictoriaMetrics, 10_000, 0.8, 1.3, arguments, "ingest-victoriametrics")


# Binary batches against PostgreSQL.

TABLES = {
    "without an index": "CREATE TABLE samples (series int4 NOT NULL, time timestamptz NOT NULL, value float8, quality int2 NOT NULL)",
    "with a primary key": "CREATE TABLE samples (series int4 NOT NULL, time timestamptz NOT NULL, value float8, "
    "quality int2 NOT NULL, PRIMARY KEY (series, time, quality))",
}


def copy(port: int, bodies: list[bytes], go, results) -> None:
    """One COPY, and so one commit, per body."""
    import time

    import psycopg

    took = []
    try:
        with psycopg.connect(host="127.0.0.1", port=port, user="bench", dbname="postgres", autocommit=True) as connection:
            cursor = connection.cursor()
            go.wait()
            cpu, began = time.process_time(), time.monotonic()
            for body in bodies:
                asked = time.monotonic()
                with cursor.copy("COPY samples FROM STDIN (FORMAT binary)") as into:
                    into.write(body)
                took.append(time.monotonic() - asked)
            results.put((time.process_time() - cpu, began, time.monotonic(), took, None))
    except Exception as error:  # noqa: BLE001: the parent raises it
        results.put((0.0, 0.0, 0.0, [], f"{type(error).__name__}: {error}"))


def postgresql(arguments) -> Result:
    plant, comparisons = Plant(), []
    for connections in arguments.connections:
        theirs_load = client.copies(plant, arguments.rows, arguments.batch, connections)
        named = client.arrows(plant, arguments.rows, arguments.batch, connections)

        def copy_all(server: PostgreSQL, _: client.Load) -> client.Sent:
            return client.together([(copy, (server.port, bodies)) for bodies in theirs_load.bodies])

        def check_theirs(server: PostgreSQL) -> None:
            with server.connect() as connection:
                checked(server.name, theirs_load, connection.execute("SELECT count(*), sum(value) FROM samples").fetchone())

        def check_ours(server: Andon) -> None:
            server.flush()
            checked(server.name, named, server.count_and_sum())

        ours = (nothing, lambda server, load: client.send_arrow(server.port, load), check_ours)
        for table, statement in TABLES.items():

            def prepare(server: PostgreSQL, statement=statement) -> None:
                with server.connect() as connection:
                    connection.execute(statement)

            name = f"{connections} connection{'s' if connections > 1 else ''}, table {table}"
            theirs = (prepare, copy_all, check_theirs)
            comparisons += against(name, PostgreSQL, named, arguments.pairs, arguments.folder, 5, 10, ours, theirs)
    return Result(
        "ingest-postgresql",
        f"Binary batches of {arguments.batch:,}, Arrow IPC against PostgreSQL COPY",
        f"{arguments.rows:,} samples of plant-10k in order of time; a fresh server each time. Andon: one Arrow IPC stream per batch, "
        "series by name (a dictionary), value by type, quality and status. "
        "PostgreSQL: binary COPY of (series int4, time, value, quality), a commit per batch, `synchronous_commit = on`, 2 GB of "
        "shared buffers, 8 GB of WAL before a checkpoint.",
        comparisons,
    )

