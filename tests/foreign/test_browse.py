"""Looking at what sources offer, over the command line and the HTTP interface: `asyncua`, `pymodbus`, `mosquitto`."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import ANDON
from peers import ModbusPeer, Mosquitto, OpcUaPeer, free_port, wait_for
from test_modbus import PLANT as MODBUS_PLANT
from test_mqtt import PLANT as MQTT_PLANT
from test_opcua import PLANT as OPCUA_PLANT

# More than one answer of the server and more than one page.
LEVELS = 3_000
# Values that are counted while the server is browsed: in bursts shorter than the queue that a server keeps for an item.
BURSTS, BURST = 40, 5


class BigServer(OpcUaPeer):
    """The server of the other tests with a store of thousands of levels, in a folder of folders, and a pressure with a unit."""

    async def _start(self):
        from asyncua import ua

        await super()._start()
        objects = self.server.nodes.objects
        store = await objects.add_object(ua.NodeId("Store", 2), "Store")
        racks = [await store.add_object(ua.NodeId(f"Rack{rack}", 2), f"Rack{rack}") for rack in range(3)]
        flat = await objects.add_object(ua.NodeId("Flat", 2), "Flat")
        for level in range(LEVELS):
            parent = racks[level % 3] if level < 300 else flat
            name = f"Level{level}"
            await parent.add_variable(ua.NodeId(f"Store.{name}", 2), name, float(level), ua.VariantType.Double)
        pressure = await objects.add_variable(ua.NodeId("Pressure", 2), "Pressure", 2.5, ua.VariantType.Double)
        await pressure.add_property(0, "EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText("bar")))
        curve = await objects.add_variable(ua.NodeId("Curve", 2), "Curve", [1.0, 2.0], ua.VariantType.Double)
        await curve.set_writable()


@pytest.fixture
def server():
    peer = BigServer(free_port())
    peer.threads.run(peer._start(), 240)
    yield peer
    peer.close()


@pytest.fixture
def device():
    peer = ModbusPeer(free_port())
    peer.start()
    yield peer
    peer.close()


@pytest.fixture
def broker(tmp_path):
    peer = Mosquitto(free_port(), tmp_path)
    peer.start()
    yield peer
    peer.close()


def browse(running, source, **parameters):
    with urllib.request.urlopen(f"{running.url}/api/sources/{source}/browse?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)


def refusal(running, source, **parameters):
    with pytest.raises(urllib.error.HTTPError) as refused:
        browse(running, source, **parameters)
    return refused.value.code, json.load(refused.value)["error"]["message"]


def pages(running, source, **parameters):
    nodes, after = [], 0
    while after is not None:
        page = browse(running, source, after=after, limit=500, **parameters)
        nodes, after = nodes + page["nodes"], page["next"]
    return nodes


def cli(*arguments):
    done = subprocess.run([ANDON, "browse", *arguments], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def connected(running, source):
    wait_for("the connection", lambda: [s for s in running.get("/api/sources") if s["source"] == source and s["state"] == "connected"], 60)


def test_a_big_server_is_browsed_in_pages_and_searched(andon, server):
    running = andon(OPCUA_PLANT.format(port=server.port))
    connected(running, "plc")
    root = {node["name"]: node for node in pages(running, "plc")}
    assert {"Filler", "Store", "Flat", "Pressure", "Curve", "Server"} <= root.keys()
    pressure = root["Pressure"]
    assert (pressure["value"], pressure["unit"], pressure["type"], pressure["data_type"]) == (2.5, "bar", "double", "Double")
    assert pressure["address"] == "nsu=urn:test:plant;s=Pressure" and pressure["short"] == "ns=2;s=Pressure"
    assert pressure["line"] == "pressure: { unit: bar, from: nsu=urn:test:plant;s=Pressure @plc }"
    assert root["Curve"]["data_type"] == "Double[2]" and root["Curve"]["line"] is None
    filler = {node["name"]: node for node in pages(running, "plc", node=root["Filler"]["node"])}
    assert filler["Temp"]["bound"] == [{"asset": "Filler", "property": "temp"}]
    assert filler["StopRequest"]["bound"] == [{"asset": "Filler", "property": "stop_request"}]

    flat = pages(running, "plc", node="ns=2;s=Flat")
    assert [node["value"] for node in flat] == [float(level) for level in range(300, LEVELS)]
    found = pages(running, "plc", find="Level12?")
    assert sorted(node["name"] for node in found) == sorted(f"Level12{digit}" for digit in range(10))
    assert {node["path"].split("/")[0] for node in found} == {"Store"}
    assert len(pages(running, "plc", find="Rack1/*")) == 0 and len(pages(running, "plc", find="*/Rack1/*")) == 100

    assert refusal(running, "plx")[0] == 404
    code, message = refusal(running, "plc", node="ns=2;s=Nothing")
    # BadNodeIdUnknown by the standard; this server says BadNodeIdInvalid.
    assert code == 502 and "BadNodeId" in message, message
    server.stop()
    wait_for("the loss", lambda: running.get("/api/sources")[0]["state"] == "lost", 60)
    assert refusal(running, "plc")[0] == 503


def test_values_have_no_gap_while_a_big_server_is_browsed(andon, server):
    running = andon(OPCUA_PLANT.format(port=server.port))
    connected(running, "plc")
    stop, seen, failed = threading.Event(), [], []

    def look():
        try:
            while not stop.is_set():
                seen.append(len(pages(running, "plc", node="ns=2;s=Flat")) + len(pages(running, "plc", find="*")))
        except Exception as error:
            failed.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    counts = "SELECT DISTINCT double_value FROM raw_time_series r JOIN asset_property p USING (property_id) WHERE p.property_name = 'count' AND double_value > 0"
    longest, number = 0.0, 0
    try:
        # As long as it is browsed at least once from end to end.
        while number < BURSTS * BURST or not seen:
            for _ in range(BURST):
                number += 1
                server.set("Count", number)
            began = time.monotonic()
            wait_for(f"value {number}", lambda: [number] in running.sql(counts), 120)
            longest = max(longest, time.monotonic() - began)
            assert not failed, failed
    finally:
        stop.set()
        looking.join(240)
    stored = sorted(row[0] for row in running.sql(counts))
    print(f"{number} values, none missing; {sum(seen)} nodes seen meanwhile; the longest wait for a value {longest:.1f} s")
    assert stored == list(range(1, number + 1))
    assert seen and sum(seen) >= LEVELS - 300
    assert running.get("/api/sources")[0]["connects"] == 1


def test_the_command_line_prints_a_tree_and_lines_to_paste(andon, server, tmp_path):
    running = andon(OPCUA_PLANT.format(port=server.port))
    connected(running, "plc")
    code, out, error = cli("plc", "ns=2;s=Store", "--depth", "1", "--url", running.url)
    assert code == 0, error
    assert "├─ Rack0" in out and "└─ Rack2" in out
    code, out, error = cli("plc", "--find", "Pressure", "--url", running.url)
    assert code == 0, error
    assert "Pressure" in out and "2.5 bar" in out
    assert "  pressure: { unit: bar, from: nsu=urn:test:plant;s=Pressure @plc }" in out
    code, out, _ = cli("plc", "--limit", "700", "--depth", "1", "--json", "ns=2;s=Flat", "--url", running.url)
    assert code == 0 and len(json.loads(out)) == 700
    code, _, error = cli("plx", "--url", running.url)
    assert code == 1 and "did you mean plc?" in error
    running.stop()
    # Without a service: the plant file says where the server is.
    arguments = ("--plant", str(tmp_path / "plant.yaml"), "--data", str(tmp_path / "other"))
    code, out, error = cli("plc", "--find", "Filler/Temp", *arguments)
    assert code == 0, error
    assert "← Filler temp" in out
    server.stop()
    code, _, error = cli("plc", *arguments)
    assert code == 1 and "not connected" in error


def test_registers_are_read_in_every_common_way(andon, device, tmp_path):
    running = andon(MODBUS_PLANT.format(port=device.port))
    connected(running, "scale")
    points = browse(running, "scale")
    assert {node["node"]: node["value"] for node in points["nodes"]}["holding/0 float32 CDAB"] == 500.0
    assert "Ask for a range" in points["note"]
    nodes = {node["node"]: node for node in browse(running, "scale", node="holding/0", count=12)["nodes"]}
    readings = {reading["node"]: reading for reading in nodes["holding/0"]["readings"]}
    assert readings["holding/0 float32 CDAB"]["value"] == 500.0
    assert readings["holding/0 float32 CDAB"]["bound"] == [{"asset": "Scale", "property": "weight"}]
    # The device has eight registers: what is refused says so, and its neighbours are read.
    assert [bool(nodes[f"holding/{at}"]["problem"]) for at in range(12)] == [False] * 8 + [True] * 4
    assert "no such register" in nodes["holding/8"]["problem"]
    code, out, error = cli("scale", "holding/0", "--count", "2", "--url", running.url)
    assert code == 0, error
    assert "500 CDAB" in out, out
    assert refusal(running, "scale", node="holding/0", count=126)[0] == 400
    assert not device.writes
    running.stop()
    code, out, error = cli("scale", "input/3", "--count", "1", "--plant", str(tmp_path / "plant.yaml"))
    assert code == 0, error
    assert "uint16     7 ABCD" in out, out


@pytest.mark.parametrize("version", [3, 5])
def test_a_brokers_topics_are_a_tree(andon, broker, version, tmp_path):
    running = andon(MQTT_PLANT.format(port=broker.port, version=version))
    connected(running, "energy")
    broker.publish("plant/line_1/filler_1/energy", json.dumps({"power": {"kw": 12.5}, "state": "run"}), retain=True)
    broker.publish("site/air", "6.25", retain=True)
    root = browse(running, "energy", seconds=3)
    assert [(node["name"], node["kind"]) for node in root["nodes"]] == [("plant", "folder"), ("site", "folder"), ("$SYS", "folder")]
    assert "broker" in [node["name"] for node in browse(running, "energy", node="$SYS")["nodes"]]
    fields = {node["name"]: node for node in browse(running, "energy", node="plant/line_1/filler_1/energy")["nodes"]}
    power = fields["power.kw"]
    assert (power["value"], power["address"], power["short"]) == (12.5, "plant/line_1/filler_1/energy#power.kw", "power.kw")
    assert power["about"] == ["Line 1/Filler 1"] and power["bound"] == [{"asset": "Line 1/Filler 1", "property": "power"}]
    assert fields["state"]["line"] == "state: { type: string, from: state @energy }"
    [air] = browse(running, "energy", node="site")["nodes"]
    assert (air["value"], air["line"]) == (6.25, "air: { from: site/air#. @energy }")
    assert [node["name"] for node in browse(running, "energy", find="kw")["nodes"]] == ["power.kw"]
    running.stop()
    code, out, error = cli("energy", "--depth", "5", "--plant", str(tmp_path / "plant.yaml"))
    assert code == 0, error
    assert "power.kw" in out and "12.5" in out and "← Line 1/Filler 1 power" in out
