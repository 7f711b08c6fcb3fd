"""Servers and brokers that nobody here wrote, started on loopback and stopped by their own process id or thread."""

import asyncio
import contextlib
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30.0):
    """Waits until `condition` returns something true and returns it."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (OSError, AssertionError, KeyError, IndexError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s; last seen: {last!r}")


class Wire:
    """The network in front of a peer: a TCP proxy that stops carrying bytes when it is told to, and closes nothing.

    `hold_answers` lets requests through and keeps what comes back; `go_silent` keeps both; `flow` carries again what was kept.
    """

    def __init__(self, upstream):
        self.upstream = upstream
        self.to_server, self.to_client = threading.Event(), threading.Event()
        self.flow()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def flow(self):
        self.to_server.set()
        self.to_client.set()

    def hold_answers(self):
        self.to_client.clear()

    def go_silent(self):
        self.to_server.clear()
        self.to_client.clear()

    def held(self):
        return not self.to_client.is_set()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        # Whoever connects in the silence is connected and hears nothing, as behind a firewall that forgot the way.
        self.to_server.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream), 5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._carry, args=(client, server, self.to_server), daemon=True).start()
        self._carry(server, client, self.to_client)

    @staticmethod
    def _carry(source, target, allowed):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                allowed.wait()
                target.sendall(data)
        allowed.wait()
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.flow()


class LoopThread:
    """An event loop in a thread of its own, for peers that are asynchronous."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine, seconds=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


class OpcUaPeer:
    """An `asyncua` server with a temperature, a running flag and a writable stop request. Records every write of a client."""

    def __init__(self, port):
        self.port = port
        self.threads = LoopThread()
        self.server = None
        self.nodes = {}
        self.writes = []
        # Called when a client has written, before it is answered; and when it has read the stop request.
        self.on_write = self.on_read = lambda: None

    def start(self):
        self.threads.run(self._start())

    async def _start(self):
        from asyncua import Server, ua
        from asyncua.common.callback import CallbackType

        self.server = Server()
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/plant")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self.server.register_namespace("urn:test:plant")
        assert index == 2, index
        folder = await self.server.nodes.objects.add_object(index, "Filler")
        for name, value, variant in [
            ("Temp", 20.0, ua.VariantType.Double),
            ("Running", True, ua.VariantType.Boolean),
            ("Count", 0, ua.VariantType.UInt32),
            ("StopRequest", False, ua.VariantType.Boolean),
        ]:
            node = await folder.add_variable(ua.NodeId(f"Filler.{name}", index), name, value, variant)
            self.nodes[name] = (node, variant)
        stop_request = self.nodes["StopRequest"][0]
        await stop_request.set_writable()

        def written(event, _):
            if event.is_external:
                self.writes += [(node.NodeId.Identifier, node.Value.Value.Value) for node in event.request_params.NodesToWrite]
                self.on_write()

        def read(event, _):
            asked = [(node.NodeId, node.AttributeId) for node in event.request_params.NodesToRead]
            if event.is_external and asked == [(stop_request.nodeid, ua.AttributeIds.Value)]:
                self.on_read()

        self.server.subscribe_server_callback(CallbackType.PostWrite, written)
        self.server.subscribe_server_callback(CallbackType.PostRead, read)
        await self.server.start()

    def set(self, name, value):
        node, variant = self.nodes[name]
        self.threads.run(node.write_value(value, variant))

    def get(self, name):
        return self.threads.run(self.nodes[name][0].read_value())

    def forget(self):
        """As after a loss of power: what was written is gone."""
        self.set("StopRequest", False)

    def stop(self):
        if self.server is not None:
            self.threads.run(self.server.stop())
            self.server = None

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
        self.threads.close()


class ModbusPeer:
    """A `pymodbus` device: a float at holding 0 (CDAB), an integer at input 3, a writable coil 7. Records every write."""

    def __init__(self, port):
        self.port = port
        self.threads = LoopThread()
        self.server = None
        self.weight = 500.0
        self.level = 7
        self.writes = []
        # Called when a client has written, before it is answered; and when it has read a coil.
        self.on_write = self.on_read = lambda: None

    def start(self):
        self.threads.run(self._start())

    async def _start(self):
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice

        async def action(function_code, start, address, count, registers, values):
            if values is not None:
                self.writes.append((function_code, address, list(values)))
                self.on_write()
                return None
            if function_code == 1:
                self.on_read()
            if function_code == 3:
                high, low = struct.unpack(">HH", struct.pack(">f", self.weight))
                for register, word in ((0, low), (1, high)):
                    registers[register - start] = word
            if function_code == 4:
                registers[3 - start] = self.level
            return None

        blocks = (
            [SimData(0, count=16, values=False, datatype=DataType.BITS)],
            [SimData(0, count=16, values=False, datatype=DataType.BITS)],
            [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)],
            [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)],
        )
        device = SimDevice(1, simdata=blocks, action=action)
        self.server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self.server.listen()

    def forget(self):
        """As after a loss of power: what was written is gone."""
        self.stop()
        self.start()

    def stop(self):
        if self.server is not None:
            self.threads.run(self.server.shutdown())
            self.server = None

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
        self.threads.close()


class Mosquitto:
    """A `mosquitto` broker without persistence."""

    def __init__(self, port, folder):
        self.port = port
        self.config = pathlib.Path(folder) / "mosquitto.conf"
        self.config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 10000\n")
        self.process = None

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([program, "-c", str(self.config)], stderr=subprocess.DEVNULL)
        wait_for("mosquitto listening", lambda: socket.create_connection(("127.0.0.1", self.port), 1))

    def publish(self, topic, payload, retain=False):
        """A QoS 1 publication by hand: CONNECT, PUBLISH, PUBACK (MQTT 3.1.1, section 3)."""

        def packet(kind, body):
            assert len(body) < 128
            return bytes([kind, len(body)]) + body

        def text(value):
            return struct.pack(">H", len(value)) + value.encode()

        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.settimeout(5)
            connection.sendall(packet(0x10, text("MQTT") + bytes([4, 2, 0, 30]) + text("tester")))
            assert connection.recv(4)[0] == 0x20
            connection.sendall(packet(0x33 if retain else 0x32, text(topic) + struct.pack(">H", 1) + payload.encode()))
            assert connection.recv(4)[0] == 0x40
            connection.sendall(packet(0xE0, b""))

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def close(self):
        self.stop()
