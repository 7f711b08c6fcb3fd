"""History on S3-compatible storage: what one Andon has flushed, another reads, and so does everybody who reads Delta tables."""

import json
import os
import subprocess
import urllib.request

import boto3
import pytest
from conftest import ANDON, Andon
from deltalake import DeltaTable
from moto.server import ThreadedMotoServer
from peers import free_port, wait_for

PLANT = """
plant: { name: Bucket, timezone: UTC }
models:
  press:
    attributes:
      limit: { default: 80, unit: °C }
assets:
  Press A: { model: press }
"""


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An S3 server that nobody here wrote, and a place in a bucket of it. Its memory outlives it, so every test has its own place."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="plant")
    yield f"s3://plant/{tmp_path.name}"
    server.stop()


@pytest.fixture
def run(tmp_path, bucket):
    running = []

    def start(local, *arguments):
        plant = tmp_path / "plant.yaml"
        plant.write_text(PLANT)
        where = ["--data", bucket, "--local", str(tmp_path / local), "--listen", "127.0.0.1:0"]
        process = Andon(["run", str(plant), *where, *arguments])
        running.append(process)
        return process

    yield start
    for process in running:
        process.stop()


def write(andon, first, count):
    lines = "\n".join(f"boiler pressure={n}.5 {(1_700_000_000 + n) * 1_000_000_000}" for n in range(first, first + count))
    request = urllib.request.Request(andon.url + "/api/write", data=lines.encode())
    assert urllib.request.urlopen(request, timeout=20).status == 204


def ask(bucket, statement):
    done = subprocess.run(
        [ANDON, "query", "--data", bucket, "-o", "json", statement], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


COUNT = "SELECT count(*) AS rows, sum(value) AS total FROM samples WHERE alias LIKE 'boiler%'"


def test_another_reads_what_one_has_flushed(run, bucket):
    andon = run("first", "--flush-age", "500ms").wait_ready()
    write(andon, 0, 1_000)
    expected = {"rows": 1_000, "total": sum(n + 0.5 for n in range(1_000))}
    wait_for("the reader seeing the points", lambda: ask(bucket, COUNT) == [expected])
    assert ask(bucket, "SELECT asset_name FROM asset") == [{"asset_name": "Press A"}]
    newest = ask(bucket, "SELECT value FROM latest WHERE alias LIKE 'boiler%'")
    assert newest == [{"value": 999.5}]
    table = DeltaTable(f"{bucket}/history/samples", storage_options={"allow_http": "true"}).to_pyarrow_table()
    assert table.num_rows >= 1_000
    assert sum(value for value in table["double"].to_pylist() if value is not None) >= expected["total"]
    # Nothing was left of the log but what has not been flushed; the bucket goes on after a restart.
    andon.stop()
    again = run("first", "--flush-age", "500ms").wait_ready()
    write(again, 1_000, 500)
    assert again.sql(COUNT)[0][0] == 1_500
    wait_for("the reader seeing the new points", lambda: ask(bucket, COUNT)[0]["rows"] == 1_500)


def test_a_bucket_has_one_writer(run, bucket, tmp_path):
    first = run("first", "--flush-age", "500ms").wait_ready()
    write(first, 0, 10)
    wait_for("the first flush", lambda: ask(bucket, COUNT)[0]["rows"] == 10)
    second = run("second")
    assert second.process.wait(60) == 1
    assert any("written by another Andon" in line and "--take-over" in line for line in second.lines), second.lines
    third = run("third", "--take-over", "--flush-age", "500ms").wait_ready()
    write(third, 10, 10)
    wait_for("the new writer's points", lambda: ask(bucket, COUNT)[0]["rows"] == 20)
    # The one that was pushed out acknowledges into its own log, but the bucket stays the other's.
    write(first, 5_000, 10)
    wait_for("the old writer noticing", lambda: any("written by another Andon" in line for line in first.lines))
    assert ask(bucket, COUNT)[0]["rows"] == 20
    assert os.path.exists(tmp_path / "first" / "log")


def test_a_bucket_without_history_is_said_to_be_one(bucket):
    done = subprocess.run(
        [ANDON, "query", "--data", bucket, "SELECT 1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "holds no history" in done.stderr
