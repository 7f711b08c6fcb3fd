"""The ready model of a machine with PackML: its file in the folder of a plant, a morning of states, and what comes of them."""

import datetime
import json
import subprocess
import urllib.request

import pytest
from conftest import ANDON, Andon
from peers import wait_for

PLANT = """
plant: { name: Test, timezone: UTC }
reasons:
  Jam: { class: availability, codes: [17] }
assets:
  Filler 1: { model: packml_unit, attributes: { ideal_rate: 3600 } }
"""
CLEARING, STOPPED, STARTING, EXECUTE, ABORTED, HELD, RESETTING = 1, 2, 3, 6, 9, 11, 15
PRODUCTION, MAINTENANCE = 1, 2
# An hour: when, in seconds, and what the machine says then. It makes a piece a second, and every tenth is scrap.
HOUR = [
    (0, {"mode": PRODUCTION, "state": EXECUTE, "good_count": 0, "defective_count": 0}),
    (1200, {"state": HELD, "good_count": 1080, "defective_count": 120, "stop_reason": 17}),
    (1800, {"state": EXECUTE, "stop_reason": 0}),
    (2400, {"state": ABORTED, "good_count": 1620, "defective_count": 180}),
    (2460, {"state": CLEARING}),
    (2520, {"state": STOPPED, "mode": MAINTENANCE}),
    (3420, {"state": RESETTING, "mode": PRODUCTION}),
    (3480, {"state": STARTING}),
    (3540, {"state": EXECUTE}),
]


@pytest.fixture
def running(tmp_path):
    folder = tmp_path / "plant"
    folder.mkdir()
    template = subprocess.run([ANDON, "template", "packml"], capture_output=True, text=True, check=True, timeout=60)
    (folder / "packml.yaml").write_text(template.stdout)
    (folder / "site.yaml").write_text(PLANT)
    checked = subprocess.run([ANDON, "check", str(folder)], capture_output=True, text=True, timeout=60)
    # It has no source here: its values are written by this test.
    assert checked.returncode == 0 and "error" not in checked.stderr, checked.stdout + checked.stderr
    running = Andon(["run", str(folder), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]).wait_ready()
    yield running
    running.stop()


def write(running, time, values):
    fields = ",".join(f"{name}={value}{'' if name.endswith('count') else 'i'}" for name, value in values.items())
    request = urllib.request.Request(running.url + "/api/write?precision=s", data=f"Filler\\ 1 {fields} {int(time)}".encode(), method="POST")
    assert urllib.request.urlopen(request, timeout=30).status in (200, 204)


def newest(running, prop, time):
    """The value of a window's property, by the end of the window."""
    rows = running.sql(f"SELECT double FROM samples WHERE property = '{prop}' AND time = to_timestamp({int(time)})")
    return rows[-1][0] if rows else None


def test_an_hour_of_states_becomes_times_figures_and_alarms(running, tmp_path):
    # The last hour that is over.
    now = datetime.datetime.now(datetime.timezone.utc)
    start = now.replace(minute=0, second=0, microsecond=0).timestamp() - 3600
    for second, values in HOUR:
        write(running, start + second, values)
    end = start + 3600
    write(running, end + 1, {"state": EXECUTE, "mode": PRODUCTION, "good_count": 1680, "defective_count": 180})

    expected = {
        "execute": 1200 + 600 + 60, "held": 600, "aborted": 120, "stopped": 900, "starting": 120, "waiting": 0, "idle": 0, "finished": 0,
        "production": 2520 + 180,
    }
    for name, seconds in expected.items():
        prop = f"{name}_time_1h"
        wait_for(f"{prop} of {seconds} s", lambda: (found := newest(running, prop, end)) is not None and abs(found - seconds) < 1e-6, 60)
    # In production for 2,700 s, of which 1,860 in Execute: 900 s in maintenance are planned.
    assert abs(newest(running, "availability_1h", end) - 1860 / 2700) < 1e-6
    assert abs(newest(running, "quality_rate_1h", end) - 0.9) < 1e-2
    words = running.sql("SELECT string FROM samples WHERE property = 'state_name' ORDER BY time")
    assert [word for (word,) in words[:6]] == ["Execute", "Held", "Execute", "Aborted", "Clearing", "Stopped"], words
    # The detector was not there in that hour: a back-test shows what it would have done.
    running.stop()
    times = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat().replace("+00:00", "Z") for at in (start - 1, end + 1)]
    played = subprocess.run(
        [ANDON, "backtest", str(tmp_path / "plant"), "--data", str(tmp_path / "data"), "--detector", "packml_unit.unit",
         "--from", times[0], "--to", times[1], "--json"],
        capture_output=True, text=True, timeout=120,
    )
    assert played.returncode == 0, played.stderr
    events = sorted((json.loads(line) for line in played.stdout.splitlines()), key=lambda event: event["time"])
    moves = [event["to"] for event in events if event["kind"] == "transition"]
    assert moves == [
        "unknown", "execute", "held/short", "held/long", "execute", "aborted", "stopped/planned", "ready", "execute",
    ], moves
    raised = [event["message"] for event in events if event["kind"] == "alarm" and event["verb"] == "raise"]
    assert raised == ["It is Held in Production", "It is Aborted in Production"], raised
