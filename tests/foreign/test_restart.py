"""Very many instances of detectors, and kill -9: every state, variable and timer is there again."""

import http.client
import json
import os
import pathlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Andon
from peers import wait_for

# A hundred thousand need many minutes in a debug build; ANDON_INSTANCES asks for them.
INSTANCES = int(os.environ.get("ANDON_INSTANCES") or 2_000)
# Each answer goes through the events that are not in files yet.
LOOKED_AT = 40
SENDERS = 16
# Every so many machines: one that has moved, so that there are instances in each state, with other variables and timers.
EVERY = 10

PLANT = """
plant: { name: Test, timezone: UTC }
inputs:
  Press: { attributes: [machine, bar] }
detectors:
  pressure:
    key: machine
    initial: calm
    states:
      calm:
        enter:
          - { event: begin, do: [ { setVariable: { variableName: highest, value: '0' } }, { setTimer: { timerName: silence, seconds: 86400 } } ] }
        input:
          - { event: higher, when: $input.Press.bar > $variable.highest, do: [ { setVariable: { variableName: highest, value: $input.Press.bar } } ] }
        go:
          - { event: high, when: $input.Press.bar > 70, to: strained, do: [ { setTimer: { timerName: relief, seconds: 43200 } } ] }
      strained:
        go:
          - { event: low, when: $input.Press.bar < 50, to: calm }
"""


def bar(machine):
    return 80 + machine % 7 if machine % EVERY == 0 else machine % 60


def send(url, machines):
    """Sends a message for each of these machines over one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    for machine in machines:
        body = json.dumps({"machine": f"M-{machine}", "bar": bar(machine)})
        connection.request("POST", "/api/inputs/Press", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204, answer.status
    connection.close()


def instance(running, machine):
    found = running.get(f"/api/instances/pressure?key=M-{machine}")["instance"]
    timers = {timer["name"]: timer for timer in found["timers"]} if isinstance(found["timers"], list) else found["timers"]
    return found["state"], found["variables"], timers


def cpu(running):
    """Seconds of processor time it has taken."""
    fields = pathlib.Path(f"/proc/{running.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def count(running):
    return running.get("/api/instances?detector=pressure&limit=1")["detectors"][0]["instances"]


@pytest.fixture
def start(tmp_path):
    plant = tmp_path / "plant.yaml"
    plant.write_text(PLANT)
    running = []

    def start():
        begun = time.monotonic()
        running.append(Andon(["run", str(plant), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]))
        running[-1].wait_ready(300)
        return running[-1], time.monotonic() - begun

    yield start
    for process in running:
        process.process.kill()
        process.process.wait()


def test_every_instance_is_where_it_was(start):
    running, empty = start()
    begun = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        parts = (range(first, INSTANCES, SENDERS) for first in range(SENDERS))
        list(senders.map(lambda part: send(running.url, part), parts))
    sent = time.monotonic() - begun
    assert count(running) == INSTANCES
    looked_at = [*range(0, INSTANCES, INSTANCES // LOOKED_AT + 1), INSTANCES - 1]
    before = {machine: instance(running, machine) for machine in looked_at}
    assert {state for state, _, _ in before.values()} == {"calm", "strained"}
    assert all(timers for _, _, timers in before.values())

    running.process.kill()
    running.process.wait()
    running, log = start()
    spent = cpu(running)
    assert count(running) == INSTANCES
    assert {machine: instance(running, machine) for machine in looked_at} == before
    # They go on from there: one that was strained is relieved, and its highest pressure is the one of before.
    state, variables, timers = before[0]
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/api/inputs/Press", json.dumps({"machine": "M-0", "bar": 20}), {"content-type": "application/json"})
    assert connection.getresponse().status == 204
    moved = wait_for("the move", lambda: (found := instance(running, 0))[0] == "calm" and found)
    # Entering it again begins anew, and the other timer goes on.
    assert moved[2]["relief"] == timers["relief"] and moved[2]["silence"] != timers["silence"], (timers, moved)

    # After a clean stop there is a checkpoint instead of the log.
    running.stop()
    running, checkpoint = start()
    assert count(running) == INSTANCES
    running.process.kill()
    print(
        f"{INSTANCES} instances, sent in {sent:.0f} s; ready after {log:.2f} s ({spent:.2f} s of "
        f"processor time) from the log of a killed one, {checkpoint:.2f} s from "
        f"the checkpoint of a stopped one, {empty:.2f} s with an empty folder"
    )
