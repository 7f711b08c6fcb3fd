"""The back-test of a detector over its history, against the rate at which the same samples went through it live."""

import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import client
import servers
from quiet import ahead, go_ahead
from results import Comparison, Result

MACHINES = (1_000, 100)
START = 1_767_592_800
"""Monday 2026-01-05T06:00:00Z."""
BATCH = 10_000
TURNING = 0.01
"""Share of the samples after which a machine is in another band."""

PLANT = """
plant: { name: Bench, timezone: UTC }
models:
  filler:
    attributes:
      temp_limit: { default: 80, unit: °C }
    measurements:
      fill_temp: { unit: °C }
    detectors:
      overheat:
        message: Bowl {fill_temp} is above {temp_limit}
        response: Check valve V12.
        initial: normal
        states:
          normal:
            go: [{ when: fill_temp > temp_limit, to: hot }]
          hot:
            initial: warming
            go: [{ when: fill_temp < temp_limit - 3, to: normal, do: [clear] }]
            states:
              warming: { go: [{ when: fill_temp > temp_limit + 10, to: alarm }] }
              alarm: { enter: [raise] }
assets:
"""


def load_of(rows: int, machines: int) -> tuple[client.Load, int]:
    """Line protocol in order of time, and how many moves follow: between three bands, never from normal to alarm at once."""
    random = np.random.default_rng(7)
    steps = rows // machines
    turns = random.random((steps, machines)) < TURNING
    band, moves, bodies, lines = np.zeros(machines, dtype=int), 0, [], []
    total = 0.0
    for step in range(steps):
        turned = turns[step]
        # normal -> warming; warming -> normal or alarm; alarm -> normal.
        after = np.where(band == 0, 1, np.where(band == 1, random.integers(0, 2, machines) * 2, 0))
        band = np.where(turned, after, band)
        moves += int(turned.sum())
        values = np.round(np.array([65.0, 82.0, 92.0])[band] + random.uniform(0, 8, machines), 1)
        total += float(values.sum())
        stamp = START + step
        lines += [f"f,asset=Filler\\ {machine} fill_temp={value} {stamp}\n" for machine, value in enumerate(values.tolist())]
        if len(lines) >= BATCH:
            bodies.append("".join(lines).encode())
            lines = []
    if lines:
        bodies.append("".join(lines).encode())
    return client.Load([bodies], steps * machines, total, steps * machines), moves


class Andon(servers.Andon):
    def command(self) -> list[str]:
        return [*ahead(), *super().command()]


def instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def played(plant: Path, data: Path, rows: int, machines: int, moves: int) -> tuple[float, float]:
    """Seconds that a back-test over all of it takes, the start of the program and the reading of the files included; CPU seconds."""
    until = instant(START + rows // machines + 1)
    command = [*ahead(), servers.ANDON, "backtest", str(plant), "--detector", "filler.overheat", "--data", str(data)]
    before, began = cpu_of_children(), time.monotonic()
    done = subprocess.run([*command, "--from", instant(START - 1), "--to", until], capture_output=True, text=True, timeout=600)
    took, spent = time.monotonic() - began, cpu_of_children() - before
    found = {name: int(re.search(rf"{name} +(\d+)", done.stdout).group(1)) for name in ("values played", "moves")}
    # The first entry of each machine is a move there.
    assert found == {"values played": rows, "moves": moves + machines}, f"{found}, expected {rows} and {moves}: {done.stderr}"
    return took, spent


def cpu_of_children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(arguments, machines: int) -> list[Comparison]:
    load, moves = load_of(arguments.rows, machines)
    assets = "".join(f"  Filler {number}: {{ model: filler }}\n" for number in range(machines))
    live, again, cpu = [], [], ([], [])
    for _ in range(arguments.pairs):
        server = Andon(arguments.folder / "Andon", PLANT + assets)
        try:
            server.start()
            spent = server.cpu_seconds()
            sent = client.send(server.port, "/write?precision=s", load)
            cpu[1].append((server.cpu_seconds() - spent) / load.rows * 1e6)
            count = int(server.sql("SELECT count(*) FROM samples WHERE property = 'fill_temp'")[0][0])
            assert count == load.rows, f"the history holds {count:,} samples, sent were {load.rows:,}"
            happened = server.sql("SELECT count(*) FROM events WHERE kind = 'transition' AND from_state <> ''")[0][0]
            assert int(happened) == moves, f"live it moved {happened} times, expected {moves}"
            live.append(load.rows / sent.seconds)
            server.stop()
            took, spent = played(server.folder / "plant.yaml", server.data, load.rows, machines, moves)
            again.append(load.rows / took)
            cpu[0].append(spent / load.rows * 1e6)
        finally:
            server.remove()
    name = f"{machines:,} machines, {moves:,} moves"
    return [
        Comparison(name, "samples/s", "Andon, live", again, live, floor=5, goal=20, durability="- : D2"),
        Comparison(f"{name}, CPU", "s per million samples", "Andon, live", *cpu, higher_is_better=False),
    ]


def backtest(arguments) -> Result:
    go_ahead()
    return Result(
        "backtest",
        "Back-test of a detector, against its own live rate",
        f"{arguments.rows:,} samples, each machine's one a second, with moves between the states of a nested detector. Live: line protocol over one "
        f"connection in batches of {BATCH:,}, as fast as it goes, each acknowledged when its samples and moves are on disk. Then, after a clean stop, "
        "`andon backtest` over the same time; its start and the reading of the files count. Both made exactly the moves that were laid out.",
        [one for machines in MACHINES for one in compared(arguments, machines)],
        {"Andon": servers.versions()["Andon"]},
    )
