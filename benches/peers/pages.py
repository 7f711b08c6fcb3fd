"""What the pages cost: the first page, a thousand live tags, a long trend, and many viewers. The marks are those of the design."""

import base64
import json
import os
import selectors
import socket
import statistics
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import client
from plant import Plant, plant_file
from quiet import ahead, go_ahead
from results import Comparison, Result
from servers import ANDON, Andon, first_line, free_port

BROWSER = Path(__file__).resolve().parents[2] / "tests/browser"
LIVE_TAGS = 1_000
PENS = 8
TREND_DAYS = 30
VIEWERS = 100
VIEWED = 500
HISTORY = "1h"


class Ahead(Andon):
    def command(self) -> list[str]:
        return [*ahead(), *super().command()]


class Demo(Andon):
    """The plant of the demo: what a first page is full of."""

    def command(self) -> list[str]:
        return [*ahead(), ANDON, "demo", "--listen", f"127.0.0.1:{self.port}", "--calm", "--history", HISTORY]


def mark(name: str, unit: str, found: list[float], most: float, **more) -> Comparison:
    """A figure that must not be above a mark."""
    return Comparison(name, unit, "mark", found, [most] * len(found), higher_is_better=False, floor=1, **more)


def browser(what: str, address: str, *more: str):
    done = subprocess.run([*ahead(), "node", "measure.mjs", what, address, *more], cwd=BROWSER, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return json.loads(done.stdout)


def first_page(arguments) -> list[Comparison]:
    server = Demo(arguments.folder / "demo")
    server.start()
    try:
        found = browser("first-page", f"http://127.0.0.1:{server.port}/")
    finally:
        server.remove()
    code = [one["code_bytes"] / 1e3 for one in found]
    data = statistics.median(one["data_bytes"] / 1e3 for one in found)
    encoding = "/".join(sorted({name for one in found for name in one["encodings"]}))
    usable = [one["usable_ms"] for one in found]
    return [
        mark("first page: page, code and styles as sent", "kB", code, 60, more={"encoding": encoding, "data beside it, kB": f"{data:.1f}"}),
        mark("first page: until every machine shows its value, nothing cached", "ms", usable, 1_000),
    ]


class Feed(threading.Thread):
    """Writes a new value of each series every second, until it is told to end."""

    def __init__(self, server: Andon, names: list[str]) -> None:
        super().__init__(daemon=True)
        self.server, self.names, self.over, self.rounds, self.failure = server, names, threading.Event(), 0, None

    def run(self) -> None:
        try:
            due = time.monotonic()
            while not self.over.is_set():
                lines = "".join(f"m,asset=machine_000 {name}={20 + (self.rounds * 7 + at) % 100 / 10:.1f}\n" for at, name in enumerate(self.names))
                request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}/api/write", data=lines.encode())
                with urllib.request.urlopen(request, timeout=60) as answer:
                    assert answer.status == 204
                self.rounds += 1
                due += 1
                self.over.wait(max(0.0, due - time.monotonic()))
        except Exception as failure:  # noqa: BLE001: told by `end`
            self.failure = failure

    def end(self) -> None:
        self.over.set()
        self.join(60)
        if self.failure:
            raise self.failure


def live_plant(tags: int) -> tuple[str, list[str]]:
    names = [f"tag_{number:04d}" for number in range(tags)]
    measured = "\n".join(f"      {name}: {{ unit: °C, normal: 20..28, stale: 10s }}" for name in names)
    return f"plant: bench\nmodels:\n  machine:\n    measurements:\n{measured}\nassets:\n  machine_000: {{ model: machine }}\n", names


def asset_of(server: Andon) -> dict:
    listed = json.loads(server.get("/api/assets")[1])
    return json.loads(server.get(f"/api/assets/{listed[0]['id']}")[1])


def live_tags(arguments) -> list[Comparison]:
    plant, names = live_plant(LIVE_TAGS)
    server = Ahead(arguments.folder / "live", plant)
    server.start()
    feed = Feed(server, names)
    try:
        feed.start()
        found = browser("renderer", f"http://127.0.0.1:{server.port}/assets/{asset_of(server)['id']}", str(arguments.seconds))
        feed.end()
    finally:
        server.remove()
    assert found["shown"] == LIVE_TAGS and found["changed"] > found["in_view"] * 0.8 > 10, found
    other = "; ".join(f"{kind} {share:.1f}" for kind, share in found["per_cent"].items() if kind != "renderer")
    return [
        mark(f"{LIVE_TAGS:,} live tags on one page, each changing every second: the page's process", "% of a core",
             [found["per_cent"]["renderer"]], 10, more={"in view and followed at once": found["in_view"], "Chromium's other processes, %": other}),
    ]


def trend(arguments) -> list[Comparison]:
    seconds = TREND_DAYS * 86_400
    start = (int(time.time()) - seconds) * 1_000_000
    plant = Plant(assets=1, tags=PENS, start=start)
    server = Ahead(arguments.folder / "trend", plant_file(plant))
    server.start()
    try:
        rows = fill(server, plant, seconds * PENS)
        server.compact()
        assert server.count_and_sum()[0] == rows
        names = [plant.tag_name(number) for number in range(PENS)]
        pens = urllib.parse.quote("|".join(f"{plant.asset_name(0)}:{name}" for name in names))
        found = browser("trend", f"http://127.0.0.1:{server.port}/trend?pens={pens}&range=15m")
    finally:
        server.remove()
    part = lambda key: f"{statistics.median(one[key] for one in found):.0f}"
    more = {
        "until asked, ms": part("before_ms"),
        "until answered, ms": part("server_ms"),
        "until drawn, ms": part("page_ms"),
        "requests": part("requests"),
        "bytes of the answer": f"{statistics.median(one['bytes'] for one in found):,.0f}",
    }
    return [mark(f"trend of {TREND_DAYS} days, {PENS} pens at 1 Hz ({rows:,} points), from the click to the last stroke", "ms",
                 [one["drawn_ms"] for one in found], 300, more=more)]


def fill(server: Andon, plant: Plant, rows: int) -> int:
    """Writes a history, a body after the other: there is never more than one in memory."""
    encode, sent = client.Arrow(plant), 0
    for block in plant.blocks(rows, block_steps=20_000):
        time_, value, bad = (column.T.ravel() for column in (block.time, block.value, block.bad))
        series = [number for _ in range(block.time.shape[1]) for number in range(plant.series)]
        body = encode(client.Rows(client.np.array(series), time_, value, bad))
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{client.ARROW_PATH}", data=body, headers={"content-type": client.ARROW}
        )
        urllib.request.urlopen(request, timeout=120).read()
        sent += time_.size
    return sent


def viewer(port: int, series: list[int]) -> socket.socket:
    """Opens the page's WebSocket and subscribes."""
    line = socket.create_connection(("127.0.0.1", port), 20)
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(
        f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    got = b""
    while b"\r\n\r\n" not in got:
        got += line.recv(1)
    assert b" 101 " in got.split(b"\r\n")[0], got
    body = json.dumps({"subscribe": {"series": series}}).encode()
    # A client masks what it sends; zero is a mask too.
    line.sendall(b"\x81\xfe" + struct.pack(">H", len(body)) + bytes(4) + body)
    line.setblocking(False)
    return line


def viewers(arguments) -> list[Comparison]:
    plant, names = live_plant(VIEWED)
    server = Ahead(arguments.folder / "viewers", plant)
    server.start()
    feed = Feed(server, names)
    try:
        feed.start()
        series = [one["series"] for one in asset_of(server)["properties"]]
        time.sleep(5)
        alone = spent(server, arguments.seconds, [])[0]
        lines = [viewer(server.port, series) for _ in range(VIEWERS)]
        spent(server, 5, lines)
        watched, received, messages = spent(server, arguments.seconds, lines)
        for line in lines:
            line.close()
        feed.end()
    finally:
        server.remove()
    minutes = VIEWERS * arguments.seconds / 60
    values = messages / arguments.seconds
    assert values > VIEWED * 0.9, f"the first viewer got {values} values a second"
    more = {
        "server without viewers, CPU s per minute": f"{alone * 60 / arguments.seconds:.2f}",
        "with all of them": f"{watched * 60 / arguments.seconds:.2f}",
        "bytes per viewer and second": f"{received / VIEWERS / arguments.seconds:,.0f}",
        "values per viewer and second": f"{values:.0f}",
    }
    return [Comparison(f"{VIEWERS} viewers of {VIEWED} live tags, each changing every second: server's CPU per viewer-minute", "s", "",
                       [(watched - alone) / minutes], [], higher_is_better=False, more=more)]


def spent(server: Andon, seconds: int, lines: list[socket.socket]) -> tuple[float, int, int]:
    """CPU seconds of the server while everything sent to these viewers is taken; bytes of all, values of the first."""
    chooser = selectors.DefaultSelector()
    for line in lines:
        chooser.register(line, selectors.EVENT_READ)
    kept, received, began, before = bytearray(), 0, time.monotonic(), server.cpu_seconds()
    while (left := began + seconds - time.monotonic()) > 0:
        if not lines:
            time.sleep(left)
            continue
        for key, _ in chooser.select(min(left, 0.5)):
            got = key.fileobj.recv(1 << 20)
            assert got, "the server closed a viewer"
            received += len(got)
            if key.fileobj is lines[0]:
                kept += got
    after = server.cpu_seconds()
    return after - before, received, sum(len(one.get("values", ())) for one in messages_of(kept))


def messages_of(kept: bytearray):
    """The texts of whole WebSocket frames. The first frame may begin in the middle: then up to the next one is left out."""
    at = kept.find(b'{"type"')
    at = max(0, at - 4 if at >= 4 and kept[at - 3] == 126 else at - 2)
    while at + 4 <= len(kept):
        length, head = kept[at + 1] & 0x7F, 2
        if length == 126:
            length, head = struct.unpack(">H", kept[at + 2 : at + 4])[0], 4
        elif length == 127:
            length, head = struct.unpack(">Q", kept[at + 2 : at + 10])[0], 10
        if at + head + length > len(kept):
            return
        if kept[at] & 0x0F == 1:
            yield json.loads(kept[at + head : at + head + length])
        at += head + length


PARTS = {"first-page": first_page, "live": live_tags, "trend": trend, "viewers": viewers}


def pages(arguments) -> Result:
    assert (BROWSER / "node_modules").exists(), "npm ci in tests/browser"
    go_ahead()
    comparisons = [one for part in arguments.parts for one in PARTS[part](arguments)]
    return Result(
        "pages",
        "Pages in a browser",
        f"Chromium, headless, without a graphics card, 1366 × 768; `tests/browser/measure.mjs`. The first page is the overview of the demo "
        f"(15 machines). CPU is that of {arguments.seconds} s. "
        + ("The long trend was asked for once before it counted. " if "trend" in arguments.parts else "")
        + "A mark is what must not be exceeded: a ratio below 1 meets it.",
        comparisons,
        {"Andon": first_line(ANDON, "--version"), "Chromium": first_line("chromium", "--version"), "node": first_line("node", "--version")},
    )
