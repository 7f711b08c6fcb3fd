"""Faults from outside: kill -9, a full disk, a disk whose syncs fail, a second process. The ledger of acknowledgements is the judge."""

import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ANDON, Andon
from ledger import LedgerBroker
from peers import wait_for

VALUES = 10
PLANT = """
plant: {{ name: Test, timezone: UTC }}
sources:
  feed: {{ mqtt: 'mqtt://127.0.0.1:{port}', topic: 'plant/{{asset}}', version: 3, time: at }}
models:
  machine:
    measurements:
{measurements}
assets:
  Machine: {{ model: machine, feed: feed }}
"""
# The buffer becomes files often, so that kills hit that too.
RESTLESS = ("--flush-age", "150ms")
SEED = int(os.environ.get("ANDON_TEST_SEED") or random.randrange(1 << 32))


class Site:
    """A data folder, the broker that feeds it, and the runs of the binary on it."""

    def __init__(self, folder, data=None, values=VALUES):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data, self.values = folder, data or folder / "data", values
        start = int(time.time() * 1000) - 86_400_000
        numbers = range(values)
        self.broker = LedgerBroker(
            folder, "plant/machine", lambda n: {"at": start + n} | {f"v{value}": n * values + value for value in numbers}
        )
        measurements = "\n".join(f"      v{n}: {{ type: int, from: v{n} @feed }}" for n in numbers)
        self.plant = folder / "plant.yaml"
        self.plant.write_text(PLANT.format(port=self.broker.port, measurements=measurements))
        self.running = None

    def start(self, *arguments):
        self.running = Andon(
            ["run", str(self.plant), "--data", str(self.data), "--listen", "127.0.0.1:0", *arguments]
        )
        return self.running

    def kill(self):
        self.running.process.kill()
        self.running.process.wait()

    def counts(self):
        """Points, different points, their sum. A lost connection makes Bad points, and silence Uncertain ones; they are not the broker's."""
        good = "property LIKE 'v%' AND quality = 'good'"
        rows = self.running.sql(f"SELECT count(*), count(DISTINCT value), sum(value) FROM samples WHERE {good}")
        return [int(cell or 0) for cell in rows[0]]

    def check_everything(self):
        """Every message is acknowledged in the end, and all its points are there, once."""
        sent = self.broker.finish()
        wait_for("the rest being acknowledged", lambda: len(self.broker.acknowledged) == sent, 60)
        ledger = {int(line) for line in (self.folder / "ledger").read_text().split()}
        assert ledger == set(range(sent))
        points = sent * self.values
        # Right behind a burst, and behind a large question that nobody waits for any more, there may be no memory for this one yet.
        counts = wait_for("room for the question", self.counts, 120)
        assert counts == [points, points, points * (points - 1) // 2]
        return sent

    def close(self):
        if self.running is not None and self.running.process.poll() is None:
            self.kill()
        self.broker.close()


@pytest.fixture
def site(tmp_path):
    sites = []

    def make(name="site", **arguments):
        sites.append(Site(tmp_path / name, **arguments))
        return sites[-1]

    yield make
    for made in sites:
        made.close()


def readiness(running):
    try:
        with urllib.request.urlopen(running.url + "/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def no_more_acknowledgements(ours):
    """Whatever was inside is settled one way or the other; then nothing is acknowledged for two seconds. Says how many were."""

    def quiet():
        before = len(ours.broker.acknowledged)
        time.sleep(2)
        return len(ours.broker.acknowledged) == before and before

    return wait_for("nothing being acknowledged", quiet, 60)


KILLS, PLANTS = 204, 3


def test_kill_9_at_any_moment_loses_nothing_and_repeats_nothing(site, record_property):
    """Kills during start, ingest, flush and merging of files, on three plants at once."""
    print(f"seed {SEED}")

    def torment(number):
        moments, ours = random.Random(f"{SEED}/{number}"), site(f"plant{number}")
        ready = 0
        for _ in range(KILLS // PLANTS):
            running = ours.start(*RESTLESS)
            # A third of them while it starts, the others while it works.
            if moments.random() < 0.33:
                time.sleep(moments.uniform(0, 0.6))
            else:
                running.wait_ready(120)
                time.sleep(moments.uniform(0, 1.6))
            assert running.process.poll() is None, "\n".join(running.lines[-30:])
            ready += any("Andon runs at" in line for line in running.lines)
            acknowledged = len(ours.broker.acknowledged)
            ours.kill()
        running = ours.start(*RESTLESS).wait_ready()
        found, different, _ = ours.counts()
        assert found == different and found >= acknowledged * ours.values
        wait_for("enough messages", lambda: len(ours.broker.acknowledged) > 200, 120)
        sent = ours.check_everything()
        files = running.sql("SELECT count(*) FROM events")[0][0]
        running.stop()
        return ready, sent, files

    started = time.monotonic()
    with ThreadPoolExecutor(PLANTS) as plants:
        results = list(plants.map(torment, range(PLANTS)))
    seconds = time.monotonic() - started
    print(f"{KILLS} kills in {seconds:.0f} s, {sum(r[0] for r in results)} of them after the start; messages {[r[1] for r in results]}")
    assert all(ready > 5 and sent > 200 for ready, sent, _ in results), results


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes that can be filled and freed, or None where nothing may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    yield place if mounted.returncode == 0 else None
    if mounted.returncode == 0:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_and_goes_on_by_itself(site, small_disk):
    ours = site(data=small_disk / "data" if small_disk else None)
    ours.start("--flush-age", "500ms").wait_ready()
    wait_for("acknowledgements", lambda: len(ours.broker.acknowledged) > 100)
    with filled(ours, small_disk):
        full = wait_for("being unready", lambda: (answer := readiness(ours.running))[0] == 503 and answer[1], 60)
        assert "no room on the disk" in full, full
        acknowledged = no_more_acknowledgements(ours)
        found = ours.counts()
        assert found[0] == found[1] >= acknowledged * ours.values, "questions are answered, and nothing is lost"
        assert len(ours.broker.acknowledged) == acknowledged, "nothing is acknowledged"
        assert ours.running.process.poll() is None
    wait_for("being ready again", lambda: readiness(ours.running)[0] == 200, 60)
    wait_for("new acknowledgements", lambda: len(ours.broker.acknowledged) > acknowledged + 100, 60)
    notices = "SELECT message FROM events WHERE kind = 'system' AND message LIKE 'what comes in is %' ORDER BY time"
    told = wait_for("both notices", lambda: (rows := ours.running.sql(notices)) and len(rows) >= 2 and rows, 20)
    assert "not stored" in told[0][0] and "stored again" in told[-1][0] and len(told) <= 4, told
    ours.kill()
    ours.start().wait_ready()
    ours.check_everything()


class filled:
    """Fills the disk, or forbids every file to grow; and frees it again."""

    def __init__(self, ours, disk):
        self.pid, self.ballast = ours.running.process.pid, disk and disk / "ballast"

    def __enter__(self):
        if self.ballast is None:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        with open(self.ballast, "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass

    def __exit__(self, *_):
        if self.ballast is None:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            self.ballast.unlink()


def test_after_a_failed_sync_nothing_is_acknowledged_until_it_is_safe(site):
    """strace lets fdatasync fail; what the failed ones wrote must come again."""
    strace = shutil.which("strace")
    assert strace, "strace is missing; tests/run installs it"
    ours = site()
    ours.start("--flush-age", "1h").wait_ready()
    wait_for("acknowledgements", lambda: len(ours.broker.acknowledged) > 50)
    tracer = subprocess.Popen(
        [strace, "-f", "-qq", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-o", "/dev/null",
         "-p", str(ours.running.process.pid)],
        stderr=subprocess.PIPE,
    )
    try:
        failed = wait_for("being unready", lambda: (answer := readiness(ours.running))[0] == 503 and answer[1], 60)
        assert "cannot sync" in failed, failed
        acknowledged = no_more_acknowledgements(ours)
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.wait(60)
    wait_for("being ready again", lambda: readiness(ours.running)[0] == 200, 60)
    wait_for("new acknowledgements", lambda: len(ours.broker.acknowledged) > acknowledged + 50, 60)
    ours.kill()
    ours.start().wait_ready()
    ours.check_everything()


def test_a_second_process_is_kept_out_and_told_why(site):
    ours = site()
    ours.start().wait_ready()
    second = subprocess.run(
        [ANDON, "run", str(ours.plant), "--data", str(ours.data), "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=60,
    )
    assert second.returncode == 1 and "in use by another Andon" in second.stderr, second
    wait_for("the first going on", lambda: len(ours.broker.acknowledged) > 10)


def test_a_folder_that_may_not_be_written_is_named(site, tmp_path):
    ours = site(data=pathlib.Path("/proc/andon"))
    refused = subprocess.run(
        [ANDON, "run", str(ours.plant), "--data", str(ours.data), "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=60,
    )
    assert refused.returncode == 1 and "/proc/andon" in refused.stderr, refused


def test_a_clock_that_is_wrong_is_told(site):
    """An hour ahead: refused, counted, told, and shown with its source."""
    ours = site()
    hour = 3_600_000
    ours.broker.message = lambda n: {"at": int(time.time() * 1000) + hour, "v0": n}
    running = ours.start().wait_ready()
    metrics = lambda: urllib.request.urlopen(running.url + "/metrics", timeout=5).read().decode()
    counter = 'andon_samples_refused_total{source="feed",reason="ahead_of_clock"}'
    wait_for("the counter", lambda: counter in metrics(), 20)
    notice = "SELECT message FROM events WHERE kind = 'system' AND message LIKE '%ahead of our clock%'"
    told = wait_for("the notice", lambda: running.sql(notice), 20)
    assert len(told) == 1 and "feed" in told[0][0], told
    wait_for("the source", lambda: "ahead of our clock" in str(running.get("/api/sources")), 20)
    assert ours.counts()[0] == 0


BUDGET = 256 << 20
# What a debug build takes before the first sample, its threads' stacks, and what the allocator keeps.
PROGRAM = 384 << 20


def test_a_burst_together_with_a_heavy_query_stays_within_the_memory(site):
    ours = site(values=200)
    running = ours.start("--memory", "256MiB").wait_ready()
    stop = threading.Event()
    queries = []

    def ask():
        statement = (
            "SELECT a.property, count(*), avg(b.value) FROM samples a JOIN samples b ON a.time = b.time "
            "GROUP BY a.property ORDER BY 2 DESC"
        )
        while not stop.is_set():
            try:
                queries.append(len(running.sql(statement)))
            except AssertionError as error:
                queries.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_for("a burst", lambda: len(ours.broker.acknowledged) > 3_000, 60)
    finally:
        stop.set()
        asking.join(60)
    status = pathlib.Path(f"/proc/{running.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    points = len(ours.broker.acknowledged) * ours.values
    print(f"peak {peak >> 20} MiB of {(BUDGET + PROGRAM) >> 20} after {points} points and {len(queries)} queries")
    assert queries and peak < BUDGET + PROGRAM, (peak >> 20, queries[-1])
    ours.check_everything()
