"""MQTT in -> detector -> MQTT out: Andon against Node-RED with the same flow, over one mosquitto each.

Machines send their temperature by MQTT; a nested machine per asset decides; entering and leaving `hot` is published. The sender
keeps its pace whatever comes back, and times each answer from the moment its message was due.
"""

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import servers
from quiet import ahead, go_ahead
from results import Comparison, Result, alternately

NODE_RED = "node-red@4.1.8"
NODE_FOLDER = Path(os.environ.get("BENCH_NODE") or Path(sys.prefix) / "node-red")
MACHINES = 100
HOT = 1_000
"""A temperature from here on is hot; what is above says which message it was."""
ANSWER_SECONDS = 20
WARM_SECONDS = 2

PLANT = """
plant: { name: Bench, timezone: UTC }
sources:
  bus: { mqtt: 'mqtt://127.0.0.1:PORT', topic: 'in/{asset}' }
models:
  machine:
    measurements:
      temp: { unit: °C, from: temp @bus }
    detectors:
      overheat:
        message: Too hot
        initial: normal
        states:
          normal:
            go: [{ when: temp >= 1000, to: hot }]
          hot:
            initial: warming
            enter: ['publish out/hot {temp}']
            go: [{ when: temp < 0, to: normal, do: ['publish out/normal {temp}'] }]
            states:
              warming: { go: [{ after: 30s, to: alarm }] }
              alarm: { enter: [raise], exit: [clear] }
assets:
"""

FUNCTION = """
const name = msg.topic.slice(3), temp = msg.payload.temp;
const machines = context.get('machines') || {};
const one = machines[name] || (machines[name] = { state: 'normal' });
if (one.state === 'normal') {
    if (!(temp >= 1000)) return null;
    one.state = 'warming';
    one.timer = setTimeout(() => { one.state = 'alarm'; }, 30000);
    context.set('machines', machines);
    return { topic: 'out/hot', payload: String(temp) };
}
if (!(temp < 0)) return null;
clearTimeout(one.timer);
one.state = 'normal';
return { topic: 'out/normal', payload: String(temp) };
"""


class Mosquitto(servers.Server):
    name = "mosquitto"

    def command(self) -> list[str]:
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\nmax_queued_messages 100000\n"
            "set_tcp_nodelay true\n"
        )
        return [*ahead(), shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(configuration)]

    def ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Andon(servers.Andon):
    def __init__(self, folder: Path, broker: int) -> None:
        assets = "".join(f"  m{number}: {{ model: machine, bus: bus }}\n" for number in range(MACHINES))
        super().__init__(folder, PLANT.replace("PORT", str(broker)) + assets)

    def command(self) -> list[str]:
        return [*ahead(), *super().command()]


class NodeRed(servers.Server):
    """As a service runs it: no editor, a flow in a file, the function node's memory context."""

    name, durability, ready_path = "Node-RED", "D0", "/ready"

    def __init__(self, folder: Path, broker: int) -> None:
        super().__init__(folder)
        bus = {"broker": "127.0.0.1", "port": str(broker), "clientid": "", "autoConnect": True, "protocolVersion": "4", "keepalive": "60"}
        flow = [
            {"id": "tab", "type": "tab", "label": "flow"},
            {"id": "bus", "type": "mqtt-broker", "cleansession": True, **bus},
            {"id": "a", "z": "tab", "type": "mqtt in", "topic": "in/+", "qos": "1", "datatype": "json", "broker": "bus", "wires": [["b"]]},
            {"id": "b", "z": "tab", "type": "function", "func": FUNCTION, "outputs": 1, "timeout": 0, "libs": [], "wires": [["c"]]},
            {"id": "c", "z": "tab", "type": "mqtt out", "topic": "", "qos": "1", "retain": "false", "broker": "bus", "wires": []},
            {"id": "d", "z": "tab", "type": "http in", "url": "/ready", "method": "get", "wires": [["e"]]},
            {"id": "e", "z": "tab", "type": "http response", "wires": []},
        ]
        (folder / "flows.json").write_text(json.dumps(flow))
        (folder / "settings.js").write_text(
            f"module.exports = {{ uiHost: '127.0.0.1', uiPort: {self.port}, httpAdminRoot: false, flowFile: 'flows.json', "
            "credentialSecret: false, editorTheme: { tours: false }, logging: { console: { level: 'warn' } } };\n"
        )

    def command(self) -> list[str]:
        program = NODE_FOLDER / "node_modules/node-red/red.js"
        settings = self.folder / "settings.js"
        return [*ahead(), "node", str(program), "--userDir", str(self.folder), "--settings", str(settings)]


def packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def connect(port: int, name: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(packet(0x10, text("MQTT") + bytes([4, 2, 0, 0]) + text(name)))
    assert connection.recv(4)[0] == 0x20, "the broker lets us in"
    return connection


def publications(buffer: bytearray):
    """The payloads of all whole QoS 0 publications in the buffer, which keeps the rest."""
    while len(buffer) >= 2 and len(buffer) >= 2 + buffer[1]:
        length = 2 + buffer[1]
        if buffer[0] >> 4 == 3:
            topic = struct.unpack(">H", buffer[2:4])[0]
            yield bytes(buffer[4 + topic : length])
        del buffer[:length]


def messages(count: int, moves_every: int) -> list[tuple[bytes, int | None]]:
    """What is sent, each machine in turn, and what must be answered: every so many messages of a machine turn it."""
    made, hot = [], [False] * MACHINES
    for number in range(count):
        machine, turn = number % MACHINES, number // MACHINES
        answer = None
        # Not all at once.
        if (turn + machine) % moves_every == moves_every - 1:
            hot[machine] = not hot[machine]
            answer = HOT + number if hot[machine] else -1 - number
        value = answer if answer is not None else (HOT if hot[machine] else -1) if turn else 20
        body = text(f"in/m{machine}") + struct.pack(">H", number % 65_535 + 1) + b'{"temp": %d}' % value
        made.append((packet(0x32, body), answer))
    return made


def drive(port: int, made: list[tuple[bytes, int | None]], per_second: int, patience: float = ANSWER_SECONDS) -> dict[int, float]:
    """Sends at its pace; seconds from when a message was due until its answer, by answer."""
    out = connect(port, "sender")
    back = connect(port, "listener")
    back.sendall(packet(0x82, struct.pack(">H", 1) + text("out/+") + b"\0"))
    assert back.recv(5)[0] == 0x90, "the broker lets us listen"
    for connection in (out, back):
        connection.setblocking(False)
    expected = {answer: number for number, (_, answer) in enumerate(made) if answer is not None}
    found, buffer, sent, waiting = {}, bytearray(), 0, b""
    began = time.perf_counter()
    while len(found) < len(expected):
        now = time.perf_counter() - began
        assert now < len(made) / per_second + patience, f"{len(expected) - len(found)} of {len(expected)} answers are missing"
        due = min(len(made), int(now * per_second) + 1)
        if due > sent:
            waiting += b"".join(body for body, _ in made[sent:due])
            sent = due
        if waiting:
            try:
                waiting = waiting[out.send(waiting) :]
            except BlockingIOError:
                pass
        pause = max(0.0, sent / per_second - now) if sent < len(made) else 0.05
        readable, _, _ = select.select([out, back], [out] if waiting else [], [], pause)
        if out in readable:
            out.recv(1 << 16)
        if back in readable:
            buffer += back.recv(1 << 16)
            at = time.perf_counter() - began
            for payload in publications(buffer):
                answer = int(float(payload))
                assert answer in expected and answer not in found, f"{answer} was not to come, or not again"
                found[answer] = at - expected[answer] / per_second
    for connection in (out, back):
        connection.close()
    return found


def install() -> bool:
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    if not (NODE_FOLDER / "node_modules/node-red").exists():
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(NODE_FOLDER), "--no-audit", "--no-fund", NODE_RED]
        return subprocess.run(command, capture_output=True).returncode == 0
    return True


def settle(server: servers.Server, port: int) -> None:
    """Until the server listens at the broker, and is warm: hot and back, for each machine, until all are answered."""
    for attempt in range(10):
        try:
            drive(port, messages(MACHINES * 2, 1), 1_000, patience=2)
            break
        except AssertionError:
            if attempt == 9:
                raise


def mqtt(arguments) -> Result:
    assert install(), "Node-RED needs node and npm"
    go_ahead()
    comparisons = []
    for rate, moves_every in ((arguments.rate, 10), (arguments.rate // 4, 1)):
        comparisons += compared(arguments, rate, moves_every)
    return Result(
        "mqtt",
        "MQTT in, detector, MQTT out, against Node-RED",
        f"{MACHINES} machines over one mosquitto, messages at a steady pace for {arguments.seconds} s, QoS 1 in and out; a "
        "nested machine with a timer for each; a move is published. Each move was answered exactly once with its own value before a "
        "figure counted. Times run from when a message was due at the sender until the answer was read. Andon has each message and move "
        "on disk, with its explanation, before it publishes (D2); Node-RED keeps its state in memory (D0). All processes go ahead of "
        "everything else on the machine.",
        comparisons,
        versions(),
    )


def compared(arguments, rate: int, moves_every: int) -> list[Comparison]:
    made = messages(rate * arguments.seconds, moves_every)

    def run(kind) -> dict:
        broker = Mosquitto(arguments.folder / "mosquitto")
        broker.start()
        server = kind(arguments.folder / kind.__name__, broker.port)
        try:
            server.start()
            settle(server, broker.port)
            time.sleep(WARM_SECONDS)
            spent = server.cpu_seconds()
            took = np.array(list(drive(broker.port, made, rate).values())) * 1e3
            spent = server.cpu_seconds() - spent
            share = {"p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99)), "most": float(took.max())}
            return {**share, "per_cpu": len(made) / spent, "memory": server.memory() / 2**20}
        finally:
            server.remove()
            broker.remove()

    ours, theirs = alternately(arguments.pairs, lambda: run(Andon), lambda: run(NodeRed))
    name = f"{rate:,} messages a second, " + ("each moves" if moves_every == 1 else f"one in {moves_every} moves")

    def row(what: str, unit: str, key: str, **bounds) -> Comparison:
        values = [one[key] for one in ours], [one[key] for one in theirs]
        return Comparison(f"{name}, {what}", unit, "Node-RED", *values, durability="D2 : D0", **bounds)

    last = row("messages per CPU second of the server", "1/s", "per_cpu", goal=8)
    last.more = {"longest, ms": f"{max(o['most'] for o in ours):.1f} : {max(t['most'] for t in theirs):.1f}",
                 "memory afterwards, MiB": f"{ours[-1]['memory']:.0f} : {theirs[-1]['memory']:.0f}"}
    return [
        row("50 %", "ms", "p50", higher_is_better=False),
        row("99 %", "ms", "p99", higher_is_better=False, floor=0.5, goal=0.3),
        last,
    ]


def first(*command: str) -> str:
    """The first line that a command prints."""
    return (subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines() or ["?"])[0]


def own_versions() -> dict[str, str]:
    """Of Andon and its broker."""
    return {
        "Andon": first(servers.ANDON, "--version"),
        "mosquitto": first("dpkg-query", "-W", "-f", "${Version}", "mosquitto"),
    }


def versions() -> dict[str, str]:
    package = json.loads((NODE_FOLDER / "node_modules/node-red/package.json").read_text())
    return own_versions() | {"Node-RED": package["version"], "node": first("node", "--version")}
