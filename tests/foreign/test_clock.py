"""The wall clock jumps under a running Andon, forth and back, by an hour and by ten years: libfaketime lies to the process."""

import glob
import urllib.request

import pytest
from conftest import Andon, arm
from peers import ModbusPeer, free_port, wait_for

PLANT = """
plant: {{ name: Test, timezone: UTC }}
sources:
  plc: {{ modbus: 'tcp://127.0.0.1:{port}', unit: 1, every: 100ms, writes: allow }}
models:
  filler:
    measurements:
      temp: {{ from: holding/0 float32 CDAB @plc }}
      level: {{ type: int, stale: 10s, from: input/3 u16 @plc }}
    controls:
      stop: {{ type: bool, to: coil/7 @plc, allow: [true], interlock: level == 7, verify: 5s, at_most: 60 per 1h }}
    detectors:
      overheat:
        message: It has {{temp}}
        response: Close the valve.
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 900, to: hot }} ] }}
          hot:
            initial: warming
            enter: [raise]
            exit: [clear]
            go: [ {{ when: temp < 600, to: normal }} ]
            states:
              warming: {{ go: [ {{ after: 2s, to: tripped }} ] }}
              tripped: {{ enter: [write stop = true] }}
assets:
  Filler: {{ model: filler, plc: plc }}
"""


class Clock:
    """The offset that the process is told, in a file that libfaketime reads each time."""

    def __init__(self, folder):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert found, "libfaketime is missing; tests/run installs it"
        self.file = folder / "offset"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            # How long something takes is measured by the other clock, which no jump touches.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset):
        # At once, so that nobody reads half of it.
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset)
        fresh.rename(self.file)


@pytest.fixture
def site(tmp_path):
    device, clock = ModbusPeer(free_port()), Clock(tmp_path)
    device.start()
    plant = tmp_path / "plant.yaml"
    plant.write_text(PLANT.format(port=device.port))
    runs = []

    def start():
        arguments = ["run", str(plant), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
        runs.append(Andon(arguments, clock.environment).wait_ready(120))
        return runs[-1]

    yield start, device, clock
    for process in runs:
        process.process.kill()
        process.process.wait()
    device.close()


def state(running):
    return next(detector["state"] for detector in running.get("/api/detectors") if detector["detector"] == "overheat")


def ended(running):
    """How the commands ended that have ended; in no order, for their times jump as well."""
    return [state for (state,) in running.sql("SELECT state FROM commands WHERE state NOT IN ('requested', 'sent')")]


def healthy(running):
    assert running.process.poll() is None, "\n".join(running.lines[-20:])
    assert urllib.request.urlopen(running.url + "/readyz", timeout=10).status == 200


def trip(running, device):
    """Heats until it has tripped and cools again: the write comes, once."""
    before, verified = len(device.writes), ended(running).count("verified")
    device.weight = 950.0
    wait_for("being tripped", lambda: state(running) == "hot/tripped", 60)
    wait_for("the write", lambda: len(device.writes) == before + 1 and ended(running).count("verified") == verified + 1, 60)
    device.weight = 500.0
    wait_for("being normal again", lambda: state(running) == "normal", 60)
    assert len(device.writes) == before + 1, device.writes
    healthy(running)


@pytest.mark.parametrize("jump", ["+3600", "-3600", "+315576000", "-315576000"])
def test_a_clock_that_jumps_writes_nothing_twice_and_stops_nothing(site, jump):
    start, device, clock = site
    running = start()
    arm(running)
    wait_for("values", lambda: running.sql("SELECT count(*) FROM samples WHERE quality = 'good'")[0][0] > 0, 60)
    trip(running, device)
    # With a timer that runs. When the clock goes forth, all values are old for a moment: then the interlock does not hold, and that is told.
    device.weight = 950.0
    wait_for("the timer", lambda: state(running) == "hot/warming", 60)
    clock.set(jump)
    wait_for("being tripped", lambda: state(running) == "hot/tripped", 60)
    ends = sorted(wait_for("the end of the command", lambda: len(found := ended(running)) == 2 and found, 60))
    assert ends == ["verified", "verified"] or (ends == ["refused", "verified"] and jump.startswith("+")), ends
    assert len(device.writes) == ends.count("verified"), (device.writes, ends)
    device.weight = 500.0
    wait_for("being normal again", lambda: state(running) == "normal", 60)
    trip(running, device)
    # What it has kept with one clock it reads with another.
    running.process.kill()
    running.process.wait()
    clock.set("+0")
    running = start()
    healthy(running)
    wait_for("being normal", lambda: state(running) == "normal", 60)
    trip(running, device)
