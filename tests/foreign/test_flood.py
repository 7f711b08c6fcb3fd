"""Ten thousand alarms at once, from the values to the pages and to somebody who is slow to be told."""

import http.server
import json
import pathlib
import threading
import time
import urllib.request

import pytest
from peers import wait_for

MACHINES, AT_ONCE = 10_000, 1_000
# How long the one who is told takes for each message.
SLOW = 3.0
MEMORY = 256 << 20
# What a debug build takes beside that: the program, its threads' stacks, what there is per asset, and what the allocator keeps.
PROGRAM = 512 << 20

PLANT = """
plant: {{ name: Test, timezone: UTC }}
notify:
  lead: {{ webhook: 'http://127.0.0.1:{port}/' }}
models:
  machine:
    measurements:
      temp: {{ unit: °C }}
    detectors:
      hot:
        priority: high
        message: It has {{temp}}
        response: Close the valve.
        alarm: {{ notify: lead }}
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 80, to: hot }} ] }}
          hot: {{ enter: [raise], exit: [clear], go: [ {{ when: temp < 75, to: normal }} ] }}
assets:
{assets}
"""


class SlowHook(http.server.BaseHTTPRequestHandler):
    """Takes every message, after a while."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(SLOW)
        self.server.bodies.append(body)
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowHook)
    server.bodies = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def write(running, machines, temperature):
    lines = "\n".join(f"M{number} temp={temperature}" for number in machines).encode()
    request = urllib.request.Request(running.url + "/api/write", data=lines, method="POST")
    assert urllib.request.urlopen(request, timeout=60).status in (200, 204)


class Health:
    """Asks for the health all the time; it must be good each time."""

    def __init__(self, url):
        self.url, self.longest, self.asked, self.stop = url, 0.0, 0, threading.Event()
        self.bad = []
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self):
        while not self.stop.wait(0.05):
            begun = time.monotonic()
            try:
                assert urllib.request.urlopen(self.url + "/readyz", timeout=60).status == 200
            except (OSError, AssertionError) as error:
                self.bad.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - begun)
            self.asked += 1

    def end(self):
        self.stop.set()
        self.thread.join()
        assert self.asked and not self.bad, self.bad[:3]


def peak(running):
    """The most memory it ever had, in bytes."""
    status = pathlib.Path(f"/proc/{running.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


def test_ten_thousand_alarms_are_recorded_listed_and_told(andon, hook):
    assets = "\n".join(f"  M{number}: {{ model: machine }}" for number in range(MACHINES))
    running = andon(PLANT.format(port=hook.server_port, assets=assets), "--memory", "256MiB")
    write(running, range(MACHINES), 20)
    before, health = peak(running), Health(running.url)
    begun = time.monotonic()
    for first in range(0, MACHINES, AT_ONCE):
        # What is answered is on disk, with the alarms that it led to.
        write(running, range(first, first + AT_ONCE), 91.5)
    decided = time.monotonic() - begun
    raised = "SELECT count(*), count(DISTINCT asset) FROM alarms WHERE verb = 'raise' AND state = 'unacknowledged'"
    assert running.sql(raised) == [[MACHINES, MACHINES]]
    listed = running.get(f"/api/alarms?limit={MACHINES}")
    assert len({alarm["path"] for alarm in listed}) == MACHINES
    assert {(alarm["state"], alarm["message"]) for alarm in listed} == {("unacknowledged", "It has 91.5 °C")}
    shown = time.monotonic() - begun
    # The slow one has heard next to nothing by now; nobody waited for it.
    heard = len(hook.bodies)
    assert heard * SLOW <= shown, (heard, shown)
    # They go back, and that is recorded as well.
    write(running, range(MACHINES), 60)
    states = "SELECT count(DISTINCT asset) FROM alarms WHERE state = 'returned_unacknowledged'"
    assert running.sql(states) == [[MACHINES]]
    # In the end all of them are told, in few messages, none twice.
    sent = "SELECT count(*), count(DISTINCT message || asset) FROM notifications WHERE state = 'sent' AND message LIKE 'It has%'"
    wait_for("all being told", lambda: running.sql(sent) == [[MACHINES, MACHINES]], 400)
    failed = running.sql("SELECT count(*) FROM notifications WHERE state = 'failed'")
    health.end()
    told = sum(body["data"].get("count", 1) for body in hook.bodies)
    print(
        f"{MACHINES} alarms on disk after {decided:.1f} s, listed after {shown:.1f} s, told in {len(hook.bodies)} messages after "
        f"{time.monotonic() - begun:.0f} s; {peak(running) >> 20} MiB ({before >> 20} before); "
        f"{health.asked} looks at the health, {health.longest:.2f} s at most"
    )
    assert failed == [[0]]
    assert told >= MACHINES and len(hook.bodies) < MACHINES / 100, (told, len(hook.bodies))
    assert peak(running) < MEMORY + PROGRAM
