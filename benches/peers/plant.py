"""plant-10k: the samples of a seeded plant, the data of every benchmark here.

100 assets with 100 tags each at 1 Hz: 60 % analog values that walk randomly and are rounded to a step of 0.01 to 0.1,
20 % set-points, 10 % counters, 10 % states. 0.5 % of the samples are bad, in bursts. Half of the tags are stamped on the
second, the others up to 20 ms beside it (whole milliseconds, as most devices stamp).

The same seed gives the same samples, however many of them are asked for: they are made in blocks of a fixed length.
"""

from dataclasses import dataclass, field
from typing import Iterator

import numpy as np

BLOCK_STEPS = 100
"""Steps of a block: one million samples of the whole plant."""

START_MICROS = 1_767_592_800_000_000
"""Monday 2026-01-05T06:00:00Z, when the first sample is taken."""

JITTER_MILLIS = 20
BURST_STEPS = 30
BAD_SHARE = 0.005
BAD_STATUS = 0x8000_0000
"""What OPC UA says of a bad value without a reason."""

KINDS = (("analog", 0.6), ("set_point", 0.2), ("counter", 0.1), ("state", 0.1))


@dataclass
class Block:
    """Samples of some steps: matrices with a row per series and a column per step."""

    time: np.ndarray
    """int64, microseconds since the epoch."""
    value: np.ndarray
    """float64. Counters and states are whole numbers."""
    bad: np.ndarray
    """bool."""

    @property
    def rows(self) -> int:
        return self.time.size


@dataclass
class Plant:
    """A plant of `assets` with `tags` each, sampled every `interval` seconds."""

    assets: int = 100
    tags: int = 100
    interval: float = 1.0
    seed: int = 1
    start: int = START_MICROS
    kinds: np.ndarray = field(init=False)
    """Per tag of an asset: position in KINDS."""

    def __post_init__(self) -> None:
        edges = np.cumsum([share for _, share in KINDS])
        self.kinds = np.minimum(np.searchsorted(edges, (np.arange(self.tags) + 0.5) / self.tags), len(KINDS) - 1)

    @property
    def series(self) -> int:
        return self.assets * self.tags

    def asset_name(self, series: int) -> str:
        return f"machine_{series // self.tags:03d}"

    def tag_name(self, series: int) -> str:
        tag = series % self.tags
        return f"{KINDS[self.kinds[tag]][0]}_{tag:02d}"

    def whole(self) -> np.ndarray:
        """Per series: are the values whole numbers?"""
        return np.tile(self.kinds >= 2, self.assets)

    def jittered(self) -> np.ndarray:
        """Per series: is it stamped beside the second?"""
        return np.tile(np.arange(self.tags) % 2 == 1, self.assets)

    def blocks(self, rows: int, block_steps: int = BLOCK_STEPS) -> Iterator[Block]:
        """At least `rows` samples, in order of time."""
        random = np.random.default_rng(self.seed)
        kinds, jittered = np.tile(self.kinds, self.assets), np.flatnonzero(self.jittered())
        analog, set_point, counter, state = (np.flatnonzero(kinds == kind) for kind in range(4))
        resolution = random.choice([0.01, 0.02, 0.05, 0.1], analog.size)
        base = random.uniform(20, 500, analog.size)
        noise = random.uniform(0.5, 4.0, analog.size).astype(np.float32)
        away = np.zeros(analog.size, np.float32)
        target = np.round(random.uniform(10, 200, set_point.size), 1)
        count = random.integers(0, 1_000_000, counter.size)
        speed = random.uniform(0.05, 3.0, counter.size)
        current = random.integers(0, 10, state.size)
        burst = np.zeros(self.series, np.int64)
        step_micros = round(self.interval * 1e6)
        steps, done = -(-rows // self.series), 0
        while done < steps:
            shape = (self.series, block_steps)
            time = np.empty(shape, np.int64)
            time[:] = self.start + (done + np.arange(block_steps)) * step_micros
            jitter = random.integers(-JITTER_MILLIS, JITTER_MILLIS + 1, (jittered.size, block_steps), np.int16)
            time[jittered] += jitter.astype(np.int64) * 1_000

            value = np.empty(shape)
            pushes = random.standard_normal((block_steps, analog.size), np.float32) * noise
            walk = np.empty((block_steps, analog.size), np.float32)
            for step in range(block_steps):
                away = away * np.float32(0.999) + pushes[step]
                walk[step] = away
            units = np.round(base / resolution + walk).T
            value[analog] = np.round(units * resolution[:, None], 2)

            changes = random.random((set_point.size, block_steps), np.float32) < 1 / 1_800
            value[set_point] = held(target, changes, np.round(random.uniform(10, 200, int(changes.sum())), 1))
            target = value[set_point][:, -1]

            made = np.cumsum(random.poisson(speed[:, None], (counter.size, block_steps)), axis=1)
            value[counter] = count[:, None] + made
            count = count + made[:, -1]

            changes = random.random((state.size, block_steps), np.float32) < 1 / 120
            value[state] = held(current, changes, random.integers(0, 10, int(changes.sum())))
            current = value[state][:, -1]

            starts = random.random(shape, np.float32) < BAD_SHARE / BURST_STEPS
            bad = np.zeros(shape, bool)
            bad[np.arange(block_steps)[None, :] < burst[:, None]] = True
            burst = np.maximum(burst - block_steps, 0)
            for series, step in np.argwhere(starts):
                bad[series, step : step + BURST_STEPS] = True
                burst[series] = max(burst[series], step + BURST_STEPS - block_steps)

            keep = min(block_steps, steps - done)
            yield Block(time[:, :keep], value[:, :keep], bad[:, :keep])
            done += keep


def held(first: np.ndarray, changes: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Values that stay until the next change: `first` before it, one of `fresh` from each change on."""
    rows, steps = changes.shape
    numbers = np.zeros(changes.shape, np.int64)
    numbers[changes] = np.arange(1, fresh.size + 1)
    numbers = np.maximum.accumulate(numbers, axis=1)
    return np.where(numbers == 0, first[:, None], np.concatenate([[0], fresh])[numbers])


def plant_file(plant: Plant) -> str:
    """The plant as Andon's plant file: a model with all tags, nothing to read them from."""
    kinds = {2: "{ type: int }", 3: "{ type: int }"}
    tags = [f"      {plant.tag_name(tag)}: {kinds.get(int(plant.kinds[tag]), '{}')}" for tag in range(plant.tags)]
    assets = [f"  {plant.asset_name(series)}: {{ model: machine }}" for series in range(0, plant.series, plant.tags)]
    return "\n".join(["plant: bench", "models:", "  machine:", "    measurements:", *tags, "assets:", *assets, ""])
