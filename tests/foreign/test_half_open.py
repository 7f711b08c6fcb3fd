"""A device that goes silent without closing its connection: no FIN, no RST, just nothing any more."""

import urllib.request

import pytest
from conftest import arm
from peers import ModbusPeer, OpcUaPeer, Wire, free_port, wait_for
from test_opcua import latest

# A detector that trips when it is hot; its alarm is raised by a write that went wrong only. And one whose guard reads the device
# together with what is told over HTTP: only a device that is believed when it is silent could trip that one.
RULES = """
    detectors:
      overheat:
        initial: normal
        states:
          normal: {{ go: [ {{ when: {hot}, to: tripped }} ] }}
          tripped: {{ enter: [write stop = true], go: [ {{ when: load < -1000, do: [raise] }} ] }}
      overload:
        initial: normal
        states:
          normal: {{ go: [ {{ when: load > 100 and {alive}, to: tripped }} ] }}
          tripped: {{ enter: [write stop = true] }}
      blind:
        initial: normal
        states:
          normal: {{ go: [ {{ when: load > 100, to: tripped }} ] }}
          tripped: {{ enter: [write stop = true] }}
assets:
  Filler: {{ model: filler, plc: plc }}
"""
OPCUA = """
plant: {{ name: Test, timezone: UTC }}
sources:
  plc: {{ opcua: 'opc.tcp://127.0.0.1:{port}/plant', security: none, every: 100ms, writes: allow }}
models:
  filler:
    measurements:
      load: {{ type: double }}
      temp: {{ unit: °C, from: ns=2;s=Filler.Temp @plc }}
      running: {{ type: bool, from: ns=2;s=Filler.Running @plc }}
    controls:
      stop: {{ type: bool, to: ns=2;s=Filler.StopRequest @plc, allow: [true], interlock: running, verify: 5s, at_most: 4 per 1h }}
""" + RULES.replace("{hot}", "temp > 80").replace("{alive}", "running")
MODBUS = """
plant: {{ name: Test, timezone: UTC }}
sources:
  plc: {{ modbus: 'tcp://127.0.0.1:{port}', unit: 1, every: 100ms, writes: allow }}
models:
  filler:
    measurements:
      load: {{ type: double }}
      temp: {{ from: holding/0 float32 CDAB @plc }}
      level: {{ type: int, stale: 1s, from: input/3 u16 @plc }}
    controls:
      stop: {{ type: bool, to: coil/7 @plc, allow: [true], interlock: level == 7, verify: 5s, at_most: 4 per 1h }}
""" + RULES.replace("{hot}", "temp > 900").replace("{alive}", "level == 7")


def heat(device):
    if isinstance(device, ModbusPeer):
        device.weight = 950.0
    else:
        device.set("Temp", 95.0)


def tell(running, load):
    request = urllib.request.Request(running.url + "/api/write", data=f"Filler load={load}".encode(), method="POST")
    assert urllib.request.urlopen(request, timeout=10).status in (200, 204)


def standing(running, detector):
    """Where a detector stands."""
    moves = running.sql(f"SELECT to_state FROM events WHERE kind = 'transition' AND detector = '{detector}' ORDER BY time")
    return moves[-1][0]


@pytest.fixture(params=["modbus", "opcua"])
def device(request):
    peer = {"modbus": ModbusPeer, "opcua": OpcUaPeer}[request.param](free_port())
    peer.start()
    peer.plant = {"modbus": MODBUS, "opcua": OPCUA}[request.param]
    yield peer
    peer.close()


def test_a_silent_device_is_not_believed_and_not_written_to(andon, device):
    wire = Wire(device.port)
    try:
        running = andon(device.plant.format(port=wire.port))
        wait_for("values", lambda: latest(running, "temp")["quality"] == "good", 60)
        tell(running, 50)
        wire.go_silent()
        # Nobody closed anything: it is the silence that is noticed.
        wait_for("the values being bad", lambda: latest(running, "temp")["quality"] == "bad", 60)
        wait_for("the source being lost", lambda: running.get("/api/sources")[0]["state"] == "lost", 60)
        tell(running, 150)
        # The one that reads nothing of the device decides; the interlock of its write does not hold.
        refused = "SELECT reason FROM commands WHERE state = 'refused'"
        reason = wait_for("the refusal", lambda: running.sql(refused), 60)[0][0]
        assert ("level" if isinstance(device, ModbusPeer) else "running") in reason, reason
        assert (standing(running, "blind"), standing(running, "overload")) == ("tripped", "normal")
        assert device.writes == []

        wire.flow()
        wait_for("values again", lambda: latest(running, "temp")["quality"] == "good", 60)
        # What was refused stays refused. The guard is believed again, and its write is the only one.
        wait_for("the guard", lambda: standing(running, "overload") == "tripped", 60)
        wait_for("the write", lambda: "verified" in [row[0] for row in running.sql("SELECT state FROM commands")], 60)
        assert len(device.writes) == 1, device.writes
        tell(running, 50)
        heat(device)
        wait_for("the next decision", lambda: standing(running, "overheat") == "tripped", 60)
        both = "SELECT count(*) FROM commands WHERE state = 'verified'"
        wait_for("the next write", lambda: running.sql(both) == [[2]], 60)
        assert len(device.writes) == 2, device.writes
    finally:
        wire.close()


def test_a_value_is_stale_before_its_connection_is_lost(andon):
    """`stale: 1s` is sooner than any time limit of a request: the interlock does not hold from then on."""
    device = ModbusPeer(free_port())
    device.start()
    wire = Wire(device.port)
    try:
        running = andon(MODBUS.format(port=wire.port))
        wait_for("values", lambda: latest(running, "level")["quality"] == "good", 60)
        wire.go_silent()
        silent = "SELECT quality FROM samples WHERE property = 'level' ORDER BY time"
        wait_for("the end", lambda: running.sql(silent)[-1][0] == "bad", 60)
        doubted = [row[0] for row in running.sql(silent)][-2:]
        assert doubted == ["uncertain", "bad"], doubted
        tell(running, 150)
        wait_for("the refusal", lambda: running.sql("SELECT state FROM commands") == [["refused"]], 60)
        assert device.writes == []
    finally:
        wire.close()
        device.close()
