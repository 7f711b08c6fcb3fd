"""Against a `mosquitto` broker: collect, lose, find again; MQTT 3.1.1 and 5."""

import json
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
