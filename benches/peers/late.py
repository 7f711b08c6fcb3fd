"""Late, repeated and corrected samples, against the same samples in order: the result must be exact either way."""

import numpy as np

import client
from ingest import against_self
from plant import Plant
from results import Result

LATE_SHARE = 0.10
MOST_LATE_STEPS = 60
REPEATED_SHARE = 0.05
"""Half of them with another value: a correction."""


def disordered(plant: Plant, rows: int, batch: int, connections: int, encode) -> client.Load:
    """The same samples; one in ten comes up to a minute late, one in twenty a second time, the later value counts."""
    random = np.random.default_rng(99)
    load = client.Load([[] for _ in range(connections)], 0, 0.0)
    for connection in range(connections):
        parts = [rows for _, rows in client.batches(plant, rows, 1 << 30, connections, only=connection)]
        every = client.Rows(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("series", "time", "value", "bad")))
        many = every.series.size
        per_step = plant.series // connections
        place = np.arange(many, dtype=float)
        late = random.random(many) < LATE_SHARE
        place[late] += random.integers(1, MOST_LATE_STEPS + 1, int(late.sum())) * per_step
        again = np.flatnonzero(random.random(many) < REPEATED_SHARE)
        value = every.value[again].copy()
        corrected = np.arange(again.size) % 2 == 0
        value[corrected] += 1
        # After its first arrival, or the correction would be what is corrected.
        again_place = place[again] + random.integers(1, MOST_LATE_STEPS + 1, again.size) * per_step + 0.5
        order = np.argsort(np.concatenate([place, again_place]), kind="stable")
        pick = np.concatenate([np.arange(many), again])[order]
        sent = client.Rows(
            every.series[pick], every.time[pick], np.concatenate([every.value, value])[order], every.bad[pick]
        )
        final = every.value.copy()
        final[again] = value
        load.rows += many
        load.sum += float(final.sum())
        load.sent += sent.series.size
        load.bodies[connection] = [encode(sent[at : at + batch]) for at in range(0, sent.series.size, batch)]
    return load


def late(arguments) -> Result:
    plant, connections, comparisons = Plant(), arguments.connections[-1], []
    for name, encode, send in (
        ("line protocol", client.Lines(plant), lambda server, load: client.send(server.port, server.write_path(), load)),
        ("Arrow IPC", client.Arrow(plant), lambda server, load: client.send_arrow(server.port, load)),
    ):
        ordered = client.load_of(client.batches(plant, arguments.rows, arguments.batch, connections), connections, encode)
        shuffled = disordered(plant, arguments.rows, arguments.batch, connections, encode)
        comparisons.append(against_self(name, shuffled, ordered, send, arguments))
    return Result(
        "late",
        "Late, repeated and corrected samples against the same in order",
        f"{arguments.rows:,} samples of plant-10k in batches of {arguments.batch:,} on {connections} connections; "
        f"{LATE_SHARE:.0%} come up to {MOST_LATE_STEPS} s late, {REPEATED_SHARE:.0%} come twice, every other time with another "
        "value. Rows sent per second until the last is acknowledged; then the history holds each sample once, with the value that "
        "was sent last (count and sum).",
        comparisons,
    )
