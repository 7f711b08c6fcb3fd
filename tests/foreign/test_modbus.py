"""Against a `pymodbus` device: collect, lose, find again, write and read back."""

import pytest
from peers import ModbusPeer, free_port, wait_for
from test_opcua import latest

PLANT = """
plant: {{ name: Test, timezone: UTC }}
sources:
  scale: {{ modbus: 'tcp://127.0.0.1:{port}', unit: 1, every: 100ms, writes: allow }}
models:
  scale:
    measurements:
      weight: {{ unit: g, from: holding/0 float32 CDAB @scale }}
      level: {{ type: int, from: input/3 u16 @scale }}
    controls:
      dump: {{ type: bool, to: coil/7 @scale, allow: [true], verify: 5s, at_most: 4 per 1h }}
    detectors:
      overweight:
        message: Weight {{weight}}
        response: Empty the scale.
        initial: normal
        states:
          normal: {{ go: [ {{ when: weight > 900, to: full }} ] }}
          full: {{ enter: [raise, write dump = true] }}
assets:
  Scale: {{ model: scale, scale: scale }}
"""


@pytest.fixture
def device():
    peer = ModbusPeer(free_port())
    peer.start()
    yield peer
    peer.close()


def test_collects_loses_finds_again(andon, device):
    running = andon(PLANT.format(port=device.port))
    device.weight, device.level = 512.5, 9
    wait_for("the float", lambda: latest(running, "weight")["value"] == 512.5)
    wait_for("the integer", lambda: latest(running, "level")["value"] == 9)

    device.stop()
    wait_for("Bad quality after the loss", lambda: latest(running, "weight")["quality"] == "bad")

    device.weight = 498.25
    device.start()
    wait_for("the value after the return", lambda: latest(running, "weight")["value"] == 498.25, 60)
    device.weight = 499.5
    wait_for("values going on", lambda: latest(running, "weight")["value"] == 499.5)


def test_a_write_reaches_the_device_once_and_is_verified(andon, device):
    running = andon(PLANT.format(port=device.port))
    wait_for("values", lambda: latest(running, "weight")["value"] == 500.0)
    device.weight = 950.0
    wait_for("the write", lambda: device.writes)
    wait_for(
        "the verification",
        lambda: "verified" in [row[0] for row in running.sql("SELECT state FROM commands")],
    )
    assert len(device.writes) == 1, device.writes
    assert device.writes[0][1] == 7
