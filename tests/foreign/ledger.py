"""A broker that keeps a ledger: every message that Andon acknowledged, on disk before the next one counts.

MQTT 3.1.1 by hand (sections 3.1 to 3.4): one subscriber, QoS 1, a message is sent again on every new connection until it is
acknowledged. What stands in the ledger must be in the history for ever; everything must be there once.
"""

import json
import os
import socket
import struct
import threading

# Messages under way that were not acknowledged yet; a real broker has such a limit too.
WINDOW = 100


def remaining_length(size):
    encoded = bytearray()
    while True:
        size, digit = divmod(size, 128)
        encoded.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


class LedgerBroker:
    """Sends messages 0, 1, 2, ... as made by `message(number)` and notes which ones were acknowledged."""

    def __init__(self, folder, topic, message):
        self.topic = topic.encode()
        self.message = message
        self.ledger = open(folder / "ledger", "ab", buffering=0)
        self.acknowledged = set()
        self.limit = None
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.next = 0
        self.open = {}
        self.connection = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connection = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while head := stream.read(1):
                size = shift = 0
                while True:
                    digit = stream.read(1)[0]
                    size |= (digit & 0x7F) << shift
                    shift += 7
                    if digit < 0x80:
                        break
                body = stream.read(size)
                kind = head[0] >> 4
                if kind == 1:
                    connection.sendall(b"\x20\x02\x01\x00")
                elif kind == 8:
                    connection.sendall(b"\x90\x03" + body[:2] + b"\x01")
                    self.connections += 1
                    self._send_again(connection)
                elif kind == 4:
                    self._acknowledged(struct.unpack(">H", body)[0])
                elif kind == 12:
                    connection.sendall(b"\xd0\x00")
                elif kind == 14:
                    return
                self._fill(connection)
        except (OSError, IndexError):
            pass
        finally:
            connection.close()

    def _send_again(self, connection):
        with self.lock:
            if self.connection is connection:
                for packet, number in sorted(self.open.items(), key=lambda item: item[1]):
                    self._publish(connection, packet, number, again=True)
                self.subscribed = connection

    subscribed = None

    def _fill(self, connection):
        """Sends what may be under way."""
        with self.lock:
            while (
                self.subscribed is connection
                and len(self.open) < WINDOW
                and (self.limit is None or self.next < self.limit)
            ):
                number, packet = self.next, self.next % 65_535 + 1
                self.open[packet] = number
                self.next += 1
                self._publish(connection, packet, number)

    def _publish(self, connection, packet, number, again=False):
        body = struct.pack(">H", len(self.topic)) + self.topic + struct.pack(">H", packet)
        body += json.dumps(self.message(number)).encode()
        connection.sendall((b"\x3a" if again else b"\x32") + remaining_length(len(body)) + body)

    def _acknowledged(self, packet):
        with self.lock:
            number = self.open.pop(packet, None)
            if number is not None:
                self.ledger.write(b"%d\n" % number)
                os.fdatasync(self.ledger.fileno())
                self.acknowledged.add(number)

    def finish(self):
        """Sends nothing new any more; says how many messages there are."""
        with self.lock:
            self.limit = self.next
            return self.next

    def more(self):
        """Sends on."""
        with self.lock:
            self.limit = None
            connection = self.subscribed
        if connection is not None:
            try:
                self._fill(connection)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        with self.lock:
            if self.connection is not None:
                self.connection.close()
        self.ledger.close()
