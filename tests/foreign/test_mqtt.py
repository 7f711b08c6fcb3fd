"""Against a `mosquitto` broker: collect, lose, find again; MQTT 3.1.1 and 5."""

import json
import socket
import struct
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from peers import Mosquitto, free_port, wait_for
from test_opcua import latest

PLANT = """
plant: {{ name: Test, timezone: UTC }}
sources:
  energy: {{ mqtt: 'mqtt://127.0.0.1:{port}', topic: 'plant/{{line}}/{{asset}}/energy', version: {version}, time: at }}
models:
  machine:
    measurements:
      power: {{ unit: kW, from: power.kw @energy }}
  line:
    children: {{ machines: machine }}
assets:
  Line 1:
    model: line
    machines:
      Filler 1: {{ model: machine, energy: energy }}
"""


@pytest.fixture
def broker(tmp_path):
    peer = Mosquitto(free_port(), tmp_path)
    peer.start()
    yield peer
    peer.close()


def power(running):
    asset = next(a for a in running.get("/api/assets") if a["path"] == "Line 1/Filler 1")["id"]
    return next(p for p in running.get(f"/api/assets/{asset}")["properties"] if p["key"] == "power")


@pytest.mark.parametrize("version", [3, 5])
def test_collects_loses_finds_again(andon, broker, version):
    running = andon(PLANT.format(port=broker.port, version=version))
    topic = "plant/line_1/filler_1/energy"

    def seen(value):
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        broker.publish(topic, json.dumps({"at": at, "power": {"kw": value}}))
        stored = power(running)
        same_time = stored["time"] and datetime.fromisoformat(stored["time"]) <= datetime.fromisoformat(at)
        return stored["value"] == value and same_time

    wait_for("the value at the time in its payload", lambda: seen(12.5))

    broker.stop()
    wait_for("Bad quality after the loss", lambda: power(running)["quality"] == "bad")
    broker.start()
    wait_for("the value after the return", lambda: seen(14.25), 60)


CONTROLLED = """
plant: {{ name: Test, timezone: UTC }}
sources:
  broker: {{ mqtt: 'mqtt://127.0.0.1:{port}', topic: 'plant/{{asset}}', version: {version}, writes: allow }}
models:
  machine:
    controls:
      speed: {{ type: double, to: 'plant/set#. @broker', feedback: 'plant/state#. @broker', min: 0, max: 100, by_hand: operator, verify: 1s }}
assets:
  Filler 1: {{ model: machine, broker: broker }}
"""
# An order goes out within this time of its decision, or not at all.
DEADLINE = 10


def post(running, path, body):
    request = urllib.request.Request(
        running.url + path, data=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.read().decode()}") from error
    return json.loads(text) if text else None


class Machine:
    """A subscriber of MQTT 3.1.1 with a session that the broker keeps while it is away."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 5)
        self.connection.settimeout(60)
        self.connection.sendall(b"\x10\x13\x00\x04MQTT\x04\x00\x00\x3c\x00\x07machine")
        assert self.connection.recv(4, socket.MSG_WAITALL)[0] == 0x20

    def subscribe(self, topic):
        body = b"\x00\x01" + struct.pack(">H", len(topic)) + topic.encode() + b"\x01"
        self.connection.sendall(bytes([0x82, len(body)]) + body)
        assert self.connection.recv(5, socket.MSG_WAITALL)[0] == 0x90

    def heard(self):
        """Messages until the answer to a ping, which comes after what the broker has kept."""
        messages = []
        self.connection.sendall(b"\xc0\x00")
        while True:
            head = self.connection.recv(2, socket.MSG_WAITALL)
            body = self.connection.recv(head[1], socket.MSG_WAITALL) if head[1] else b""
            if head[0] == 0xD0:
                return messages
            if head[0] & 0xF0 == 0x30:
                messages.append(body)

    def leave(self):
        self.connection.close()


@pytest.mark.parametrize("version", [3, 5])
def test_a_machine_that_was_away_finds_no_old_order(andon, broker, version):
    machine = Machine(broker.port)
    machine.subscribe("plant/set")
    running = andon(CONTROLLED.format(port=broker.port, version=version))
    wait_for("the broker", lambda: running.get("/api/sources")[0]["state"] == "connected")

    def order(value):
        prepared = post(running, "/api/commands/prepare", {"asset": "Filler 1", "control": "speed", "value": value})
        post(running, "/api/commands/confirm", {"token": prepared["token"]})

    order(78.5)
    wait_for("an order while it is there", lambda: any(b"78.5" in message for message in machine.heard()))
    # Nothing says that it took it.
    ended = "SELECT count(*) FROM commands WHERE state = 'unknown'"
    wait_for("the end of the first order", lambda: running.sql(ended)[0][0] == 1, 60)
    machine.leave()
    order(80.5)
    wait_for("the end of the second order", lambda: running.sql(ended)[0][0] == 2, 60)
    time.sleep(DEADLINE + 2)
    machine = Machine(broker.port)
    heard = machine.heard()
    machine.leave()
    assert not any(b"80.5" in message for message in heard), heard
