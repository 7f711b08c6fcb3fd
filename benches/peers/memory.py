"""Memory of a million series with one sample each."""

import time

import client
from plant import START_MICROS
from results import Comparison, Result, alternately
from servers import Andon, InfluxDB, VictoriaMetrics
from size import settled

BATCH = 10_000
SETTLED_BYTES = 4 << 20


def load(series: int, connections: int = 2) -> client.Load:
    made = client.Load([[] for _ in range(connections)], series, 0.0, series)
    stamp = START_MICROS * 1_000
    for number, first in enumerate(range(0, series, BATCH)):
        lines = []
        for n in range(first, min(first + BATCH, series)):
            lines.append(f"sensor,site=north,asset=machine_{n // 100:05d},tag=temperature_{n % 100:02d} value={n / 10} {stamp}\n")
        made.bodies[number % connections].append("".join(lines).encode())
    made.sum = sum(n / 10 for n in range(series))
    return made


def memory(arguments) -> Result:
    sent = load(arguments.series)

    def run(kind) -> dict:
        server = kind(arguments.folder / kind.name)
        try:
            server.start()
            empty = server.memory()
            took = client.send(server.port, server.write_path(), sent)
            server.flush()
            # Before anything is asked: queries leave caches behind.
            settled(lambda: server.memory() // SETTLED_BYTES, quiet_seconds=5, most_seconds=60)
            time.sleep(arguments.settle)
            held, resident = server.memory(), server.resident()
            server.flush()
            count, total = server.count_and_sum()
            assert count == sent.rows and abs(total - sent.sum) < 1e-6 * sent.sum, f"{kind.name}: {count:,} rows, sum {total}"
            restarted = None
            server.stop()
            start = server.start()
            restarted = server.memory()
            return {
                "held": held / 2**20,
                "empty": empty / 2**20,
                "resident": resident / 2**20,
                "rate": sent.rows / took.seconds,
                "start": start,
                "restarted": restarted / 2**20,
            }
        finally:
            server.remove()

    comparisons = []
    for kind, floor, goal in ((VictoriaMetrics, 1.5, 0.8), (InfluxDB, 0.4, 0.2)):
        ours, theirs = alternately(arguments.pairs, lambda: run(Andon), lambda kind=kind: run(kind))
        first, second = ours[0], theirs[0]
        comparisons.append(
            Comparison(
                f"{arguments.series:,} series, one sample each",
                "MiB",
                kind.name,
                [one["held"] for one in ours],
                [one["held"] for one in theirs],
                higher_is_better=False,
                floor=floor,
                goal=goal,
                more={
                    name: f"{first[key]:,.{digits}f} : {second[key]:,.{digits}f}"
                    for name, key, digits in (
                        ("empty, MiB", "empty", 0),
                        ("resident with mapped files, MiB", "resident", 0),
                        ("new series per second", "rate", 0),
                        ("start-up afterwards, s", "start", 2),
                        ("memory after that start, MiB", "restarted", 0),
                    )
                },
            )
        )
    return Result(
        "memory",
        "Memory of many series",
        f"{arguments.series:,} series of line protocol with one sample each, batches of {BATCH:,}; anonymous resident memory once it "
        f"has not changed for 5 s and after {arguments.settle} s more, before anything is asked.",
        comparisons,
    )
