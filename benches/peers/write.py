"""From a sample to a verified write: a Modbus device whose value changes, and a detector that answers by setting its coil."""

import asyncio
import json
import struct
import threading
import time
import urllib.request
from importlib.metadata import version

import numpy as np

import servers
from quiet import ahead, go_ahead
from results import Comparison, Result

EVERY_MS = 100
"""How often the device is polled."""
PAUSE = 1.2
"""Seconds from one change to the next: more than 60 writes in a minute would take Andon's leave to write away."""
PATIENCE = 10

PLANT = """
plant: { name: Bench, timezone: UTC }
sources:
  plc: { modbus: 'tcp://127.0.0.1:PORT', unit: 1, every: EVERYms, writes: allow }
models:
  tank:
    measurements:
      level: { from: holding/0 float32 @plc }
    controls:
      drain: { type: bool, to: coil/7 @plc, allow: [true, false], verify: 5s, at_most: 60 per 1m }
    detectors:
      full:
        initial: normal
        states:
          normal: { go: [ { when: level > 900, to: full } ] }
          full:
            enter: [write drain = true]
            exit: [write drain = false]
            go: [ { when: level < 100, to: normal } ]
assets:
  Tank: { model: tank, plc: plc }
"""


class Device:
    """A pymodbus device. Knows when its new value was first read, when the coil was written, and when it was first read back."""

    def __init__(self, port: int) -> None:
        self.port, self.level = port, 500.0
        self.read_at = self.written_at = self.shown_at = None
        self.coil, self.writes = False, 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(20)

    async def listen(self) -> None:
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice

        async def action(function_code, start, address, count, registers, values):
            now = time.time()
            if values is not None:
                self.writes += 1
                self.coil, self.written_at = bool(values[0]), now
            elif function_code == 3:
                registers[0 - start : 2 - start] = struct.unpack(">HH", struct.pack(">f", self.level))
                self.read_at = self.read_at or now
            elif function_code == 1 and self.written_at:
                self.shown_at = self.shown_at or now
            return None

        bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        words = [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(1, simdata=(bits, bits, words, words), action=action)
        self.server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self.server.listen()

    def change(self, level: float) -> None:
        """From now on the device shows another value."""
        self.written_at = self.shown_at = None
        self.level = level
        self.read_at = None

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.shutdown(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)


class Andon(servers.Andon):
    def command(self) -> list[str]:
        return [*ahead(), *super().command()]

    def post(self, path: str, body: dict) -> None:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), headers)
        urllib.request.urlopen(request, timeout=10).close()


def wait(what: str, holds) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, f"{what} did not come within {PATIENCE} s"
        time.sleep(0.005)


def write(arguments) -> Result:
    go_ahead()
    random = np.random.default_rng(3)
    runs = []
    for _ in range(arguments.pairs):
        device = Device(servers.free_port())
        server = Andon(arguments.folder / "Andon", PLANT.replace("PORT", str(device.port)).replace("EVERY", str(EVERY_MS)))
        steps = []
        try:
            server.start()
            server.post("/api/arm", {"armed": True})
            wait("the first value", lambda: server.sql("SELECT count(*) FROM samples WHERE property = 'level'")[0][0])
            for number in range(arguments.writes):
                time.sleep(PAUSE + float(random.uniform(0, EVERY_MS / 1e3)))
                device.change(950.0 if number % 2 == 0 else 50.0)
                wait("the write and its reading back", lambda: device.shown_at)
                steps.append((device.read_at, device.written_at, device.shown_at))
            wait("the last verification", lambda: len(verified(server)) == arguments.writes)
            assert device.writes == arguments.writes, f"{device.writes} writes reached the device, {arguments.writes} were due"
            runs.append([(w - r, v - r) for (r, w, _), v in zip(steps, verified(server))])
        finally:
            server.remove()
            device.close()
    figure = lambda which, share: [float(np.percentile([one[which] for one in run], share)) * 1e3 for run in runs]
    rows = [(f"{what}, {share} %", "ms", figure(which, share)) for which, what in enumerate(NAMES) for share in (50, 99)]
    return Result(
        "write",
        "From a sample to a verified write",
        f"A Modbus TCP device (pymodbus) polled every {EVERY_MS} ms; when its value changes a detector sets its coil. {arguments.writes} writes a run. Time "
        "counts from the poll that reads the new value; the write is timed when it is at the device, the verification by its event. In between Andon "
        "puts the decision, and that the write is being sent, on disk (fdatasync), and reads the coil back. Each write reached the device exactly once and was verified.",
        [Comparison(name, unit, "", values, [], higher_is_better=False) for name, unit, values in rows],
        {"Andon": servers.versions()["Andon"], "pymodbus": version("pymodbus")},
    )


NAMES = ("sample read to write at the device", "sample read to write verified")


def verified(server: Andon) -> list[float]:
    """Seconds since the epoch at which commands were verified, in order."""
    rows = server.sql("SELECT time FROM commands WHERE state = 'verified' ORDER BY time")
    return [np.datetime64(row[0].rstrip("Z")).astype("datetime64[ns]").astype(np.int64) / 1e9 for row in rows]
