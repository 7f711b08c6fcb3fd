"""kill -9 in the life of a command, after the device took it: judged by the device's own record of what was written to it.

The moments before (decided, recorded, answered) are in `tests/commands.rs`.
"""

import time

import pytest
from conftest import Andon, arm
from peers import ModbusPeer, OpcUaPeer, Wire, free_port, wait_for
from test_half_open import MODBUS, OPCUA, heat

# How long a command may be sent after its decision.
DEADLINE = 10
# Runs that a slow machine may take to be back before the deadline.
ATTEMPTS = 5


class Scene:
    """A device, the wire to it, a data folder, and the runs of the binary on it."""

    def __init__(self, folder, protocol):
        folder.mkdir()
        self.folder, self.protocol = folder, protocol
        self.device = {"modbus": ModbusPeer, "opcua": OpcUaPeer}[protocol](free_port())
        self.device.start()
        self.wire = Wire(self.device.port)
        plant = {"modbus": MODBUS, "opcua": OPCUA}[protocol]
        (folder / "plant.yaml").write_text(plant.format(port=self.wire.port))
        self.running = None

    def start(self):
        folder = self.folder
        self.running = Andon(["run", str(folder / "plant.yaml"), "--data", str(folder / "data"), "--listen", "127.0.0.1:0"])
        return self.running.wait_ready()

    def kill(self):
        self.running.process.kill()
        self.running.process.wait()

    def killed(self, moment):
        """Runs until the device has taken the write and kills before anybody hears of it; or of what it shows since."""

        def hold():
            if moment == "taken" or self.device.writes:
                self.wire.hold_answers()

        if moment == "taken":
            self.device.on_write = hold
        else:
            self.device.on_read = hold
        arm(self.start())
        wait_for("values", lambda: values(self.running) > 0, 60)
        heat(self.device)
        wait_for("the device taking the write", lambda: self.device.writes and self.wire.held(), 60)
        self.kill()
        self.device.on_write = self.device.on_read = lambda: None
        self.wire.flow()
        return time.monotonic()

    def end(self):
        """The last state of the command."""

        def ended():
            states = [row[0] for row in self.running.sql("SELECT state FROM commands ORDER BY time")]
            return (set(states) - {"requested", "sent"}) and states[-1]

        return wait_for("an end of the command", ended, 60)

    def close(self):
        if self.running is not None and self.running.process.poll() is None:
            self.kill()
        self.wire.close()
        self.device.close()


def values(running):
    return running.sql("SELECT count(*) FROM samples WHERE quality = 'good'")[0][0]


@pytest.fixture
def scene(tmp_path):
    scenes = []

    def make(protocol):
        scenes.append(Scene(tmp_path / str(len(scenes)), protocol))
        return scenes[-1]

    yield make
    for made in scenes:
        made.close()


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
@pytest.mark.parametrize("moment", ["taken", "acknowledged"])
def test_what_the_device_took_is_read_back_and_not_written_again(scene, protocol, moment):
    ours = scene(protocol)
    ours.killed(moment)
    assert len(ours.device.writes) == 1
    ours.start()
    assert ours.end() == "verified"
    assert len(ours.device.writes) == 1, ours.device.writes
    # What is through stays so, over another crash.
    ours.kill()
    ours.start()
    wait_for("values", lambda: values(ours.running) > 0)
    wait_for("the end", lambda: ours.end() == "verified")
    assert len(ours.device.writes) == 1, ours.device.writes
    assert ours.running.sql("SELECT state FROM commands ORDER BY time") == [["requested"], ["sent"], ["verified"]]


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
def test_what_the_device_forgot_is_written_once_more_in_time(scene, protocol):
    for _ in range(ATTEMPTS):
        ours = scene(protocol)
        ours.killed("taken")
        ours.device.forget()
        ours.start()
        if ours.end() == "verified":
            assert len(ours.device.writes) == 2, ours.device.writes
            return
        assert (ours.end(), len(ours.device.writes)) == ("expired", 1), ours.device.writes
        ours.close()
    pytest.fail("the deadline of every command passed before Andon was back")


@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
def test_what_the_device_forgot_is_not_written_too_late_and_told(scene, protocol):
    ours = scene(protocol)
    killed = ours.killed("taken")
    ours.device.forget()
    wait_for("the deadline", lambda: time.monotonic() > killed + DEADLINE, DEADLINE + 5)
    ours.start()
    assert ours.end() == "expired"
    assert len(ours.device.writes) == 1, ours.device.writes
    told = "SELECT count(*) FROM events WHERE kind = 'system' AND body LIKE '%is expired%'"
    wait_for("the event", lambda: ours.running.sql(told) == [[1]])
    # Its detector had no alarm until then.
    wait_for("the alarm", lambda: ours.running.sql("SELECT state FROM alarms") == [["unacknowledged"]])


def test_what_the_device_forgot_is_not_written_against_its_interlock(scene):
    ours = scene("opcua")
    ours.killed("taken")
    ours.device.forget()
    ours.device.set("Running", False)
    ours.start()
    assert ours.end() in ("refused", "expired")
    assert len(ours.device.writes) == 1, ours.device.writes
