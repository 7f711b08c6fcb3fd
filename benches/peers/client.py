"""A sender that is not the limit: bodies made beforehand, one process and one kept connection per sender, plain sockets."""

import multiprocessing
import os
import socket
import struct
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from plant import BAD_STATUS, KINDS, Plant

FORK = multiprocessing.get_context("fork")
"""Children see the bodies without copying them."""

ANSWER_SECONDS = 300


@dataclass
class Load:
    """What is to be sent: per connection its bodies in order, and what they hold in all."""

    bodies: list[list[bytes]]
    rows: int
    """Different samples: what is to be found afterwards."""
    sum: float
    sent: int = 0
    """Rows in the bodies; more than `rows` if some come twice."""

    @property
    def bytes(self) -> int:
        return sum(len(body) for bodies in self.bodies for body in bodies)


@dataclass
class Sent:
    seconds: float
    client_cpu_seconds: float
    slowest_answers: list[float]
    """Seconds from request to answer, at 50 %, 99 % and the longest."""


def shares(plant: Plant, connections: int) -> list[np.ndarray]:
    """The series of each connection: whole assets, as collectors have them."""
    return np.array_split(np.arange(plant.series), connections)


def batches(plant: Plant, rows: int, batch: int, connections: int, only: int | None = None):
    """Samples in order of time, cut into batches per connection: (connection, Rows)."""
    own = shares(plant, connections)
    for block in plant.blocks(rows):
        for connection, series in enumerate(own):
            if only is not None and connection != only:
                continue
            part = np.s_[series[0] : series[-1] + 1]
            time_, value, bad = (column[part].T.ravel() for column in (block.time, block.value, block.bad))
            numbers = np.tile(series, time_.size // series.size)
            for at in range(0, numbers.size, batch):
                cut = np.s_[at : at + batch]
                yield connection, Rows(numbers[cut], time_[cut], value[cut], bad[cut])


@dataclass
class Rows:
    """Samples in the order in which they are sent."""

    series: np.ndarray
    time: np.ndarray
    value: np.ndarray
    bad: np.ndarray

    def __getitem__(self, which) -> "Rows":
        return Rows(self.series[which], self.time[which], self.value[which], self.bad[which])


def load_of(parts, connections: int, encode) -> Load:
    """The bodies of batches."""
    load = Load([[] for _ in range(connections)], 0, 0.0)
    for connection, rows in parts:
        load.bodies[connection].append(encode(rows))
        load.rows += rows.series.size
        load.sum += float(rows.value.sum())
    load.sent = load.rows
    return load


class Lines:
    """Line protocol, one sample a line. Bad samples have no mark there: they are sent as they are."""

    def __init__(self, plant: Plant) -> None:
        kinds = [KINDS[kind][0] for kind in np.tile(plant.kinds, plant.assets)]
        self.start = np.array(
            [f"{kind},asset={plant.asset_name(n)},tag={plant.tag_name(n)} value=" for n, kind in enumerate(kinds)], object
        )
        self.end = np.where(plant.whole(), "i ", " ").astype(object)
        self.whole = plant.whole()

    def __call__(self, rows: Rows) -> bytes:
        whole = self.whole[rows.series]
        text = np.where(whole, rows.value.astype(np.int64).astype("U20"), rows.value.astype("U24")).tolist()
        stamps = (rows.time * 1_000).tolist()
        parts = zip(self.start[rows.series], text, self.end[rows.series], stamps)
        return "".join([f"{a}{b}{c}{d}\n" for a, b, c, d in parts]).encode()


def lines(plant: Plant, rows: int, batch: int, connections: int) -> Load:
    return load_of(batches(plant, rows, batch, connections), connections, Lines(plant))


def post(port: int, path: str, kind: str, bodies: list[bytes], go, results) -> None:
    """Sends bodies one after the other on one connection, each after the answer to the last."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: "
    line = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = []
    try:
        go.wait()
        cpu, began = time.process_time(), time.monotonic()
        for body in bodies:
            asked = time.monotonic()
            line.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = receive(line)
            took.append(time.monotonic() - asked)
            if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")):
                raise RuntimeError(answer[:1_000].decode(errors="replace"))
        results.put((time.process_time() - cpu, began, time.monotonic(), took, None))
    except Exception as error:  # noqa: BLE001: the parent raises it
        results.put((0.0, 0.0, 0.0, [], f"{type(error).__name__}: {error}"))
    finally:
        line.close()


def receive(line: socket.socket) -> bytes:
    """One answer with its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = line.recv(65_536)
        if not more:
            raise ConnectionError("closed by the server")
        got += more
    head, rest = got.split(b"\r\n\r\n", 1)
    length = 0
    for field in head.split(b"\r\n")[1:]:
        name, value = field.split(b":", 1)
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(rest) < length:
        rest += line.recv(65_536)
    return head + b"\r\n\r\n" + rest


def send(port: int, path: str, load: Load, kind: str = "text/plain") -> Sent:
    """Sends everything over all connections at once; the time is from the first byte to the last answer."""
    return together([(post, (port, path, kind, bodies)) for bodies in load.bodies])


def together(tasks) -> Sent:
    """Runs each task in a process of its own, all from the same moment on. A task takes its arguments, an event, a queue."""
    go, results = FORK.Event(), FORK.Queue()
    children = [FORK.Process(target=task, args=(*arguments, go, results)) for task, arguments in tasks]
    for child in children:
        child.start()
    time.sleep(0.3)
    go.set()
    done = [results.get() for _ in children]
    for child in children:
        child.join()
    failed = [error for *_, error in done if error]
    if failed:
        raise RuntimeError(failed[0])
    took = np.sort([seconds for result in done for seconds in result[3]])
    return Sent(
        seconds=max(result[2] for result in done) - min(result[1] for result in done),
        client_cpu_seconds=sum(result[0] for result in done),
        slowest_answers=[float(np.quantile(took, share)) for share in (0.5, 0.99, 1.0)],
    )


ARROW = "application/vnd.apache.arrow.stream"
ARROW_PATH = "/api/write/arrow"


class Arrow:
    """A body with one Arrow IPC batch: series by name (a dictionary), value by type, quality and status."""

    def __init__(self, plant: Plant) -> None:
        self.whole = plant.whole()
        self.names = pa.array([alias(plant, series) for series in range(plant.series)])

    def __call__(self, rows: Rows) -> bytes:
        whole = self.whole[rows.series]
        used, keys = np.unique(rows.series, return_inverse=True)
        columns = {
            "alias": pa.DictionaryArray.from_arrays(pa.array(keys.astype(np.int32)), self.names.take(pa.array(used))),
            "time": pa.array(rows.time, pa.timestamp("us", "UTC")),
            "double": pa.array(rows.value, mask=whole),
            "integer": pa.array(rows.value.astype(np.int64), mask=~whole),
            "quality": pa.array((rows.bad * 2).astype(np.int8)),
            "status": pa.array(np.where(rows.bad, BAD_STATUS, 0)),
        }
        batch = pa.record_batch(columns)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return sink.getvalue().to_pybytes()


def alias(plant: Plant, series: int) -> str:
    """The name of a series: the property of an asset if the plant file has it, else a data stream."""
    return f"/{plant.asset_name(series)}/{plant.tag_name(series)}"


def arrows(plant: Plant, rows: int, batch: int, connections: int) -> Load:
    return load_of(batches(plant, rows, batch, connections), connections, Arrow(plant))


def send_arrow(port: int, load: Load) -> "Sent":
    return send(port, ARROW_PATH, load, ARROW)


STREAMED_BATCH = 50_000


def streamed(port: int, plant: Plant, rows: int, connections: int, own: int, go, results) -> None:
    """Like `post`, with bodies made while they are sent: they are too many to be kept."""
    encode = Arrow(plant)
    parts = batches(plant, rows, STREAMED_BATCH, connections, only=own)
    post(port, ARROW_PATH, ARROW, (encode(part) for _, part in parts), go, results)


def stream_arrow(port: int, plant: Plant, rows: int, connections: int) -> "Sent":
    return together([(streamed, (port, plant, rows, connections, own)) for own in range(connections)])


COPY_ROW = np.dtype(
    [
        *(("fields", ">i2"), ("l1", ">i4"), ("series", ">i4"), ("l2", ">i4"), ("time", ">i8")),
        *(("l3", ">i4"), ("value", ">f8"), ("l4", ">i4"), ("quality", ">i2")),
    ]
)
COPY_EPOCH = 946_684_800_000_000
"""2000-01-01, where PostgreSQL counts microseconds from."""


def copy_body(rows: Rows) -> bytes:
    """PostgreSQL's binary COPY of (series int4, time timestamptz, value float8, quality int2)."""
    made = np.empty(rows.series.size, COPY_ROW)
    made["fields"], made["l1"], made["l2"], made["l3"], made["l4"] = 4, 4, 8, 8, 2
    made["series"], made["time"] = rows.series, rows.time - COPY_EPOCH
    made["value"], made["quality"] = rows.value, rows.bad * 2
    return b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + made.tobytes() + struct.pack(">h", -1)


def copies(plant: Plant, rows: int, batch: int, connections: int) -> Load:
    return load_of(batches(plant, rows, batch, connections), connections, copy_body)


def cores() -> int:
    return len(os.sched_getaffinity(0))
