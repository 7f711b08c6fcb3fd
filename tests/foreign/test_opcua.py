"""Against an `asyncua` OPC UA server: collect, lose, find again, write and read back."""

import pytest
from peers import OpcUaPeer, free_port, wait_for

PLANT = """
plant: {{ name: Test, timezone: UTC }}
sources:
  plc: {{ opcua: 'opc.tcp://127.0.0.1:{port}/plant', security: none, every: 100ms, writes: allow }}
models:
  filler:
    measurements:
      temp: {{ unit: °C, from: ns=2;s=Filler.Temp @plc }}
      running: {{ type: bool, from: ns=2;s=Filler.Running @plc }}
      count: {{ type: counter, from: ns=2;s=Filler.Count @plc }}
    controls:
      stop_request: {{ type: bool, to: ns=2;s=Filler.StopRequest @plc, allow: [true], interlock: running, verify: 5s, at_most: 4 per 1h }}
    detectors:
      overheat:
        priority: high
        message: Temperature {{temp}}
        response: Look at the valve.
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 80, to: tripped }} ] }}
          tripped: {{ enter: [raise, write stop_request = true] }}
assets:
  Filler: {{ model: filler, plc: plc }}
"""

LATEST = "SELECT double_value, quality FROM raw_time_series r JOIN asset_property p USING (property_id) WHERE p.property_name = 'temp' ORDER BY time DESC LIMIT 1"


@pytest.fixture
def server():
    peer = OpcUaPeer(free_port())
    peer.start()
    yield peer
    peer.close()


def latest(andon, key):
    asset = andon.get("/api/assets")[0]["id"]
    values = {p["key"]: p for p in andon.get(f"/api/assets/{asset}")["properties"]}
    return values[key]


def test_collects_loses_finds_again(andon, server):
    running = andon(PLANT.format(port=server.port))
    server.set("Temp", 21.5)
    wait_for("the value", lambda: latest(running, "temp")["value"] == 21.5)
    assert latest(running, "temp")["quality"] == "good"

    server.stop()
    wait_for("Bad quality after the loss", lambda: latest(running, "temp")["quality"] == "bad")

    server.start()
    server.set("Temp", 33.25)
    wait_for("the value after the return", lambda: latest(running, "temp")["value"] == 33.25, 60)
    server.set("Temp", 34.75)
    wait_for("values going on", lambda: latest(running, "temp")["value"] == 34.75)


def test_a_write_reaches_the_server_and_is_verified(andon, server):
    running = andon(PLANT.format(port=server.port))
    wait_for("values", lambda: latest(running, "running")["value"] is True)
    server.set("Temp", 95.0)
    wait_for("the write", lambda: server.get("StopRequest") is True)
    wait_for(
        "the verification",
        lambda: "verified" in [row[0] for row in running.sql("SELECT state FROM commands")],
    )
