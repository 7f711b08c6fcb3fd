"""Starts Andon as a user does: the binary, a plant file, a data folder."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request

import pytest
from peers import wait_for

ANDON = os.environ.get("ANDON_BIN") or str(pathlib.Path(__file__).parents[2] / "target/debug/andon")


class Andon:
    """One running binary."""

    def __init__(self, arguments, environment=None):
        self.lines = []
        self.process = subprocess.Popen(
            [ANDON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=os.environ | (environment or {}),
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.url = None

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def wait_ready(self, seconds=60):
        def url():
            assert self.process.poll() is None, "\n".join(self.lines[-30:])
            found = re.search(r"http://[0-9.:\[\]]+", "\n".join(self.lines))
            return found and found.group(0)

        self.url = wait_for("Andon printing its address", url, seconds)
        wait_for("Andon being ready", lambda: urllib.request.urlopen(self.url + "/readyz", timeout=2).status == 200, seconds)
        return self

    def sql(self, statement):
        """Rows of a statement, as lists."""
        request = urllib.request.Request(
            self.url + "/api/sql",
            data=json.dumps({"sql": statement}).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["rows"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{statement}: {error.read().decode()}") from error

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("Andon did not stop within 60 s of Ctrl+C:\n" + "\n".join(self.lines[-30:])) from None
        return self.process.returncode


def arm(running):
    """Allows writes to machines."""
    request = urllib.request.Request(
        running.url + "/api/arm", data=b'{"armed": true}', headers={"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture
def andon(tmp_path):
    """Runs a plant text and stops it in the end."""
    running = []

    def start(plant, *arguments):
        file = tmp_path / "plant.yaml"
        file.write_text(plant)
        process = Andon(["run", str(file), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", *arguments])
        running.append(process)
        process.wait_ready()
        arm(process)
        return process

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def andon_demo(tmp_path):
    """Runs the demo and stops it in the end."""
    running = []

    def start(*arguments):
        process = Andon(["demo", "--listen", "127.0.0.1:0", "--keep", str(tmp_path / "demo"), *arguments])
        running.append(process)
        process.folder = tmp_path / "demo"
        return process.wait_ready(300)

    yield start
    for process in running:
        process.stop()
