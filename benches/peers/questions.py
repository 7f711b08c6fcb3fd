"""Decisions while statements compute: MQTT in -> detector -> MQTT out, with somebody asking hard questions and with nobody."""

import contextlib
import threading
import time
from collections.abc import Iterator

import numpy as np

import mqtt
import servers
from quiet import ahead, go_ahead
from results import Comparison, Result, alternately

STATEMENT = "SELECT sum(sin(a.value) * cos(b.value)) FROM generate_series(1, 20000) a, generate_series(1, 1000) b"
"""Computes for seconds on every core, and reads nothing."""


class Andon(mqtt.Andon):
    def command(self) -> list[str]:
        """As it runs in a plant: in the real-time round robin its own threads would take turns of a tenth of a second."""
        return [*(("chrt", "-o", "0") if ahead() else ()), *servers.Andon.command(self)]


@contextlib.contextmanager
def asked(server: Andon, by: int) -> Iterator[list[int]]:
    """Has so many ask over and over; gives how many were answered."""
    answered, ended = [0] * by, threading.Event()

    def ask(number: int) -> None:
        while not ended.is_set():
            server.sql(STATEMENT)
            answered[number] += 1

    people = [threading.Thread(target=ask, args=(number,)) for number in range(by)]
    for person in people:
        person.start()
    try:
        yield answered
    finally:
        ended.set()
        for person in people:
            person.join()


def questions(arguments) -> Result:
    go_ahead()
    made = mqtt.messages(arguments.rate * arguments.seconds, 1)

    def run(people: int) -> dict:
        broker = mqtt.Mosquitto(arguments.folder / "mosquitto")
        broker.start()
        server = Andon(arguments.folder / "andon", broker.port)
        try:
            server.start()
            mqtt.settle(server, broker.port)
            time.sleep(mqtt.WARM_SECONDS)
            with asked(server, people) as answered:
                took = np.array(list(mqtt.drive(broker.port, made, arguments.rate, patience=120).values())) * 1e3
            return {"p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99)), "answered": sum(answered)}
        finally:
            server.remove()
            broker.remove()

    busy, quiet = alternately(arguments.pairs, lambda: run(arguments.people), lambda: run(0))
    more = {"statements answered": " ".join(str(one["answered"]) for one in busy)}
    rows = [
        Comparison(
            f"{arguments.rate} messages a second, each moves; {arguments.people} statements over and over, {name}",
            "ms", "Andon, nobody asks", *([one[key] for one in side] for side in (busy, quiet)),
            higher_is_better=False, durability="D2 : D2", more=more,
        )
        for key, name in (("p50", "50 %"), ("p99", "99 %"))
    ]
    return Result(
        "questions",
        "Decisions while statements compute",
        f"{mqtt.MACHINES} machines over one mosquitto, QoS 1 in and out, for {arguments.seconds} s: from when a message was due until the "
        "move that it led to was read. The same with nobody asking and with statements that keep every core busy, one after the other for "
        "each who asks. Broker and sender go ahead of everything else; Andon does not.",
        rows,
        mqtt.own_versions(),
    )
