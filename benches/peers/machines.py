"""The detector of `detectors.py` written for peers: `machines.py table|dict|bytewax SAMPLES.bin`.

normal -> hot/warming when the temperature is above the limit and the machine runs; hot/warming -> hot/alarm after 30 s; from
anywhere in hot -> normal below the limit less 3. Says as JSON how long the samples took and what was found.
"""

import heapq
import json
import sys
import time

import numpy as np

ROW = np.dtype([("time", "<u8"), ("machine", "<u4"), ("tag", "<u4"), ("value", "<f8")])
RUNNING, TEMPERATURE = 0, 1
NORMAL, WARMING, ALARM = 0, 1, 2
LIMIT, BAND, DELAY = 80.0, 3.0, 30
MIX = np.uint64(0x9E3779B97F4A7C15)
BATCH = 10_000


def checksum(moves) -> int:
    """The sum over (time, machine, from, to) that every side makes the same way."""
    if not len(moves):
        return 0
    time_, machine, before, after = np.array(moves, dtype=np.uint64).T
    word = time_ << np.uint64(32) | machine << np.uint64(4) | before << np.uint64(2) | after
    mixed = word * MIX
    return int((mixed ^ (mixed >> np.uint64(32))).sum(dtype=np.uint64))


TABLE = {
    "normal": {"rules": [(lambda v: v["fill_temp"] > v["temp_limit"] and v["running"], "hot")]},
    "hot": {"rules": [(lambda v: v["fill_temp"] < v["temp_limit"] - BAND, "normal")], "initial": "warming"},
    "warming": {"parent": "hot", "after": (DELAY, "alarm")},
    "alarm": {"parent": "hot"},
}
LEAVES = {"normal": NORMAL, "warming": WARMING, "alarm": ALARM}
TAGS = {RUNNING: "running", TEMPERATURE: "fill_temp"}


def by_table(rows: np.ndarray):
    """As a small library does it: states, groups, guards and delays in a dict, any machine that can be written so."""
    samples = rows.tolist()
    machines = {
        machine: {"state": "normal", "values": {"temp_limit": LIMIT, "fill_temp": 0.0, "running": False}, "due": None}
        for machine in set(rows["machine"].tolist())
    }
    moves, timers = [], []

    def enter(machine, one, at, target):
        before = one["state"]
        while "initial" in TABLE[target]:
            target = TABLE[target]["initial"]
        one["state"], one["due"] = target, None
        if after := TABLE[target].get("after"):
            one["due"] = (at + after[0], after[1])
            heapq.heappush(timers, (at + after[0], machine))
        moves.append((at, machine, LEAVES[before], LEAVES[target]))

    began = time.perf_counter()
    for at, machine, tag, value in samples:
        while timers and timers[0][0] <= at:
            due, other = heapq.heappop(timers)
            waiting = machines[other]
            if waiting["due"] and waiting["due"][0] == due:
                enter(other, waiting, due, waiting["due"][1])
        one = machines[machine]
        values = one["values"]
        values[TAGS[tag]] = value
        state = one["state"]
        while state:
            place = TABLE[state]
            for guard, target in place.get("rules", ()):
                if guard(values):
                    enter(machine, one, at, target)
                    state = None
                    break
            else:
                state = place.get("parent")
    return time.perf_counter() - began, moves


def by_dict(rows: np.ndarray):
    """Written by hand for this machine alone: a dict of what is known of each, a function per state, a heap of timers."""
    samples = rows.tolist()
    machines = {machine: {"state": NORMAL, "running": False, "limit": LIMIT} for machine in set(rows["machine"].tolist())}
    moves, timers = [], []

    def move(machine, one, at, state):
        moves.append((at, machine, one["state"], state))
        one["state"] = state

    def normal(machine, one, at, value):
        if value > one["limit"] and one["running"]:
            move(machine, one, at, WARMING)
            one["due"] = at + DELAY
            heapq.heappush(timers, (at + DELAY, machine))

    def hot(machine, one, at, value):
        if value < one["limit"] - BAND:
            move(machine, one, at, NORMAL)
            one["due"] = None

    handlers = {NORMAL: normal, WARMING: hot, ALARM: hot}
    began = time.perf_counter()
    for at, machine, tag, value in samples:
        while timers and timers[0][0] <= at:
            due, other = heapq.heappop(timers)
            waiting = machines[other]
            if waiting["state"] == WARMING and waiting["due"] == due:
                move(other, waiting, due, ALARM)
        one = machines[machine]
        if tag == TEMPERATURE:
            handlers[one["state"]](machine, one, at, value)
        else:
            one["running"] = value != 0.0
    return time.perf_counter() - began, moves


def by_bytewax(rows: np.ndarray):
    """One worker, keyed by machine, batches of 10,000 from the source. bytewax's own notifications follow the wall clock, so what is
    due in event time is looked for at the machine's next sample."""
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.inputs import DynamicSource, StatelessSourcePartition
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main

    samples = [(str(machine), (at, tag, value)) for at, machine, tag, value in rows.tolist()]
    batches = [samples[at : at + BATCH] for at in range(0, len(samples), BATCH)]
    found = []

    class Part(StatelessSourcePartition):
        def __init__(self):
            self.left = iter(batches)

        def next_batch(self):
            return next(self.left)

    class Source(DynamicSource):
        def build(self, step_id, worker_index, worker_count):
            return Part()

    class Out(StatelessSinkPartition):
        def write_batch(self, items):
            found.extend(items)

    class Sink(DynamicSink):
        def build(self, step_id, worker_index, worker_count):
            return Out()

    def step(known, sample):
        state, running, due = known or (NORMAL, False, 0)
        at, tag, value = sample
        moves = ()
        if tag == RUNNING:
            return (state, value != 0.0, due), moves
        if state == WARMING and due <= at:
            moves, state = [(due, WARMING, ALARM)], ALARM
        if state == NORMAL:
            if value > LIMIT and running:
                moves, state, due = [(at, NORMAL, WARMING)], WARMING, at + DELAY
        elif value < LIMIT - BAND:
            moves, state = [*moves, (at, state, NORMAL)], NORMAL
        return (state, running, due), moves

    flow = Dataflow("detectors")
    stream = op.input("in", flow, Source())
    op.output("out", op.stateful_flat_map("machine", stream, step), Sink())
    began = time.perf_counter()
    run_main(flow)
    took = time.perf_counter() - began
    return took, [(at, int(machine), before, after) for machine, (at, before, after) in found]


def main() -> None:
    kind, path = sys.argv[1:]
    rows = np.fromfile(path, dtype=ROW)
    seconds, moves = {"table": by_table, "dict": by_dict, "bytewax": by_bytewax}[kind](rows)
    print(json.dumps({"seconds": seconds, "rows": len(rows), "transitions": len(moves), "sum": checksum(moves)}))


if __name__ == "__main__":
    main()
