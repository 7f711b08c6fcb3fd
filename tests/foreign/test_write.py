"""Values written by InfluxDB's own clients and by pyarrow, read back by SQL."""

import concurrent.futures
import json
import os
import signal
import urllib.error
import urllib.request

import influxdb
import influxdb_client
import pyarrow as pa
import pytest
from conftest import Andon
from influxdb_client.client.write_api import SYNCHRONOUS

PLANT = """
plant: { name: Written, timezone: UTC }
models:
  press:
    measurements:
      temp: { unit: °C }
      count: { type: int }
    transforms:
      fahrenheit: { value: temp * 1.8 + 32, unit: °F }
assets:
  Press A: { model: press }
"""
START = 1_767_225_600_000_000_000


def post(andon, path, body, headers=None):
    """Status and JSON of a write."""
    request = urllib.request.Request(andon.url + path, data=body, headers=headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def port(andon):
    return int(andon.url.rsplit(":", 1)[1])


def test_the_client_of_influxdb_1(andon):
    plant = andon(PLANT)
    client = influxdb.InfluxDBClient("127.0.0.1", port(plant), database="any", gzip=True)
    assert client.ping().startswith("andon-")
    points = [
        {"measurement": "boiler", "tags": {"site": "a b", "area": "x,y=z"}, "time": START + number, "fields": {"pressure": number / 8}}
        for number in range(100)
    ]
    points.append({"measurement": "any", "tags": {"asset": "Press A"}, "time": START, "fields": {"temp": 100.0, "count": 7}})
    assert client.write_points(points, time_precision="n")
    alias = "boiler,area=x\\,y\\=z,site=a\\ b pressure"
    rows = plant.sql(f"SELECT time, value FROM samples WHERE alias = '{alias}' ORDER BY time")
    assert rows == [[f"2026-01-01T00:00:00{f'.{number:09d}'.rstrip('0').rstrip('.') if number else ''}Z", number / 8] for number in range(100)]
    answer = plant.sql("SELECT property, value FROM latest WHERE asset = 'Press A' ORDER BY property")
    assert answer == [["count", 7.0], ["fahrenheit", 212.0], ["temp", 100.0]]
    with pytest.raises(influxdb.exceptions.InfluxDBClientError) as refused:
        client.write_points([{"measurement": "boiler", "tags": {"site": "a b", "area": "x,y=z"}, "fields": {"pressure": "high"}}])
    assert "field type conflict" in str(refused.value)


def test_the_client_of_influxdb_2(andon):
    plant = andon(PLANT)
    with influxdb_client.InfluxDBClient(plant.url, token="any", org="any", enable_gzip=True) as client:
        assert client.ping()
        write = client.write_api(write_options=SYNCHRONOUS)
        text = 'two\nlines, "quoted" \\ and = 5 °C'
        point = influxdb_client.Point("meter").tag("id", "7").field("power", 1.1).field("ok", True).field("steps", 2**62).field("note", text)
        write.write("any", record=point.time(START + 123_456_789))
        rows = plant.sql("SELECT property, time, double, \"integer\", boolean, string FROM samples WHERE alias LIKE 'meter,id=7 %' ORDER BY property")
        time = "2026-01-01T00:00:00.123456789Z"
        assert rows == [
            ["note", time, None, None, None, text],
            ["ok", time, None, None, True, None],
            ["power", time, 1.1, None, None, None],
            ["steps", time, None, 2**62, None, None],
        ]
        with pytest.raises(influxdb_client.rest.ApiException) as refused:
            write.write("any", record=f"meter,id=7 power=1 {START}\nmeter,id=7 power=")
        assert refused.value.status == 400
        assert json.loads(refused.value.body)["line"] == 2


def test_pyarrow(andon):
    plant = andon(PLANT)
    count = 100_000
    table = pa.table(
        {
            "time": pa.array([START + number * 1_000_001 for number in range(count)], pa.timestamp("ns", "UTC")),
            "alias": pa.array([f"/cell/{number % 100}/speed" for number in range(count)]).dictionary_encode(),
            "value": pa.array([number / 4 for number in range(count)]),
            "unit": pa.array(["m/s"] * count).dictionary_encode(),
        }
    )
    assert post(plant, "/api/write/arrow", stream(table)) == (204, None)
    assert plant.sql("SELECT count(*), count(DISTINCT alias), sum(value), min(unit) FROM samples WHERE property = 'speed'") == [
        [count, 100, sum(number / 4 for number in range(count)), "m/s"]
    ]
    one = plant.sql("SELECT time, value FROM samples WHERE alias = '/cell/7/speed' ORDER BY time LIMIT 2")
    assert one == [["2026-01-01T00:00:00.007000007Z", 1.75], ["2026-01-01T00:00:00.107000107Z", 26.75]]
    wrong = pa.table({"time": pa.array([0, None], pa.timestamp("s")), "alias": ["a", "b"], "value": ["x", "y"]})
    status, answer = post(plant, "/api/write/arrow", stream(wrong))
    assert status == 400 and answer["error"]["message"] == "row 1, column `time`: it is null"


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT)

    def start():
        return Andon(["run", str(file), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]).wait_ready()

    for round in range(3):
        plant = start()
        assert plant.sql("SELECT count(*) FROM samples WHERE property = 'power'") == [[round * 20_000]]
        lines = "".join(f"meter,round={round},id={number} power={number} {START + number}\n" for number in range(20_000))
        status, answer = post(plant, "/api/write", lines.encode())
        os.kill(plant.process.pid, signal.SIGKILL)
        plant.process.wait(20)
        assert (status, answer) == (204, None)
    plant = start()
    try:
        rows = plant.sql("SELECT count(*), count(DISTINCT alias), sum(value) FROM samples WHERE property = 'power'")
        assert rows == [[60_000, 60_000, 3 * sum(range(20_000))]]
        assert plant.sql("SELECT value FROM latest WHERE alias = 'meter,id=19999,round=2 power'") == [[19_999.0]]
    finally:
        plant.stop()


def test_many_writers_at_once(andon):
    plant = andon(PLANT)

    def write(writer):
        for batch in range(5):
            lines = "".join(f"load,writer={writer % 4} v={row} {START + (writer * 5 + batch) * 1_000 + row}\n" for row in range(200))
            assert post(plant, "/write?precision=ns", lines.encode()) == (204, None)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    assert plant.sql("SELECT count(*), count(DISTINCT alias) FROM samples WHERE property = 'v'") == [[16_000, 4]]
