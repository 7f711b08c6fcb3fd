"""The servers that are compared, each started as its own documentation advises, on loopback, with a folder of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import psutil

ANDON = os.environ.get("ANDON_BIN") or str(Path(__file__).resolve().parents[2] / "target/release/andon")
READY_SECONDS = 120
STOP_SECONDS = 120
QUIET_SECONDS = 15
"""So long nothing happens when compaction is through: it looks for work several times in it."""
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

EMPTY_PLANT = "plant: bench\n"
"""No devices and no assets: everything comes as data streams."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that answers HTTP on `self.port`."""

    name = ""
    durability = ""
    ready_path = "/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(folder.with_suffix(".log"), "ab")
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> float:
        """Seconds until it answered."""
        began = time.monotonic()
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, **self.identity())
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.folder.with_suffix('.log').read_text()[-2000:]}")
            if self.ready():
                return time.monotonic() - began
            if time.monotonic() - began > READY_SECONDS:
                self.stop()
                raise RuntimeError(f"{self.name} was not ready within {READY_SECONDS} s")
            time.sleep(0.005)

    def identity(self) -> dict:
        return {}

    def ready(self) -> bool:
        try:
            return self.get(self.ready_path, timeout=2)[0] < 300
        except OSError:
            return False

    def get(self, path: str, timeout: float = 600) -> tuple[int, bytes]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return answer.status, answer.read()

    def stop(self, how: int = signal.SIGINT) -> float:
        """Seconds until it was gone."""
        began = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - began

    def remove(self) -> None:
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time of the process and its children, dead ones too."""
        spent = 0.0
        for number, process in enumerate(self.processes()):
            times = process.cpu_times()
            spent += times.user + times.system
            if number == 0:
                spent += times.children_user + times.children_system
        return spent

    def memory(self) -> int:
        """Resident bytes that are its own: pages of files it has mapped are the system's cache."""
        total = 0
        for process in self.processes():
            try:
                found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            except OSError:
                continue
            # One that has ended has none.
            total += int(found.group(1)) * 1024 if found else 0
        return total

    def resident(self) -> int:
        return sum(process.memory_info().rss for process in self.processes())

    def disk(self) -> int:
        return size_of(self.folder)

    # What the benchmarks ask of every line protocol server.

    def write_path(self) -> str:
        return "/write?db=bench"

    def flush(self) -> None:
        """Makes everything that was acknowledged visible to queries."""

    def count_and_sum(self) -> tuple[int, float]:
        raise NotImplementedError


def size_of(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


class Andon(Server):
    name, durability, ready_path = "Andon", "D2", "/readyz"

    def __init__(self, folder: Path, plant: str = EMPTY_PLANT) -> None:
        super().__init__(folder)
        (folder / "plant.yaml").write_text(plant)
        self.data = folder / "data"
        self.refused = 0
        """How often a question was refused for its memory."""

    def command(self) -> list[str]:
        plant = str(self.folder / "plant.yaml")
        return [ANDON, "run", plant, "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]

    def sql(self, statement: str, timeout: float = 600) -> list[list]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/sql",
            data=json.dumps({"sql": statement}).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)["rows"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{statement}: {error.code} {error.read().decode()[:500]}") from error

    def count_and_sum(self) -> tuple[int, float]:
        """A question over everything right behind a burst may be refused for its memory: files need less than the buffer."""
        began = time.monotonic()
        while True:
            try:
                rows = self.sql('SELECT count(*), sum(coalesce("double", CAST("integer" AS DOUBLE))) FROM samples')
                return int(rows[0][0]), float(rows[0][1] or 0)
            except RuntimeError as refused:
                if "memory" not in str(refused) or time.monotonic() - began > READY_SECONDS:
                    raise
                self.refused += 1
                time.sleep(0.5)

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.get("/metrics")[1].decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def log_rows(self) -> int:
        """Samples in memory and in the log that are not in Parquet yet."""
        return int(self.metric("andon_buffered_points"))

    def compact(self, quiet_seconds: float = QUIET_SECONDS) -> float:
        """Turns everything into Parquet (a clean stop does) and waits until compaction has no more to do. Seconds it took."""
        self.stop()
        began = time.monotonic()
        self.start()
        state = lambda: (self.metric("andon_history_files"), self.metric("andon_history_rows"), self.live_bytes("samples"))
        last, changed = state(), time.monotonic()
        while time.monotonic() - changed < quiet_seconds:
            time.sleep(0.5)
            now = state()
            # Compaction writes for a while before a commit shows it: an idle process has no more to do.
            spent = self.cpu_seconds()
            time.sleep(0.5)
            if now != last or self.cpu_seconds() - spent > 0.2:
                last, changed = now, time.monotonic()
        return time.monotonic() - began - quiet_seconds

    def live_files(self, table: str) -> list[Path]:
        """The files of a table as its Delta log lists them."""
        import deltalake

        folder = self.data / "history" / table
        if not (folder / "_delta_log").exists():
            return []
        return [Path(uri.removeprefix("file://")) for uri in deltalake.DeltaTable(str(folder)).file_uris()]

    def live_bytes(self, table: str) -> int:
        return sum(path.stat().st_size for path in self.live_files(table))


class InfluxDB(Server):
    """1.6 with the TSI index. A write is answered after fsync: `wal-fsync-delay` 0 is its default and durable."""

    name, durability, ready_path = "InfluxDB", "D2", "/ping"

    def command(self) -> list[str]:
        data = self.folder
        (data / "influxdb.conf").write_text(
            f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{data}/meta"
[data]
  dir = "{data}/data"
  wal-dir = "{data}/wal"
  wal-fsync-delay = "0s"
  index-version = "tsi1"
  query-log-enabled = false
  max-series-per-database = 0
  max-values-per-tag = 0
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
[monitor]
  store-enabled = false
[logging]
  level = "warn"
"""
        )
        return ["influxd", "-config", str(data / "influxdb.conf")]

    def start(self) -> float:
        took = super().start()
        self.query("CREATE DATABASE bench")
        return took

    def query(self, text: str) -> dict:
        body = urllib.parse.urlencode({"q": text, "db": "bench"}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", data=body, timeout=600) as answer:
            return json.load(answer)

    def count_and_sum(self) -> tuple[int, float]:
        answer = self.query("SELECT count(value), sum(value) FROM /.*/")["results"][0].get("series", [])
        return sum(row["values"][0][1] for row in answer), sum(row["values"][0][2] for row in answer)


class VictoriaMetrics(Server):
    """Answers a write from memory; what came in the last second or so is gone with the process."""

    name, durability, ready_path = "VictoriaMetrics", "D0", "/health"

    def command(self) -> list[str]:
        return [
            "victoria-metrics",
            f"-storageDataPath={self.folder}/data",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y",
            "-loggerLevel=WARN",
            "-search.maxQueryDuration=600s",
            "-search.maxUniqueTimeseries=3000000",
            "-search.maxSamplesPerQuery=2000000000",
            "-search.disableCache",
        ]

    def flush(self) -> None:
        self.get("/internal/force_flush")

    def merge(self) -> None:
        self.get("/internal/force_merge")

    def value(self, query: str, at: float) -> float:
        text = urllib.parse.urlencode({"query": query, "time": at, "nocache": 1})
        rows = json.loads(self.get(f"/api/v1/query?{text}")[1])["data"]["result"]
        return float(rows[0]["value"][1]) if rows else 0.0

    def count_and_sum(self) -> tuple[int, float]:
        everything = '{__name__=~".+"}[400d]'
        now = time.time()
        count = self.value(f"sum(count_over_time({everything}))", now)
        return int(count), self.value(f"sum(sum_over_time({everything}))", now)


class PostgreSQL(Server):
    name, durability = "PostgreSQL", "D2"
    user = "postgres"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.socket = folder / "socket"
        self.socket.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            for path in (folder, self.socket):
                shutil.chown(path, self.user, self.user)

    def identity(self) -> dict:
        return {"user": self.user, "group": self.user, "cwd": "/"} if os.geteuid() == 0 else {}

    def command(self) -> list[str]:
        return [
            str(POSTGRES[-1] / "postgres"),
            *("-D", str(self.folder / "data")),
            *("-k", str(self.socket)),
            *("-h", "127.0.0.1"),
            *("-p", str(self.port)),
            *("-c", "shared_buffers=2GB"),
            *("-c", "max_wal_size=8GB"),
            *("-c", "checkpoint_timeout=15min"),
            *("-c", "wal_buffers=16MB"),
            *("-c", "synchronous_commit=on"),
            *("-c", "wal_compression=on"),
        ]

    def start(self) -> float:
        if not (self.folder / "data").exists():
            make = [str(POSTGRES[-1] / "initdb"), "-D", str(self.folder / "data"), "-A", "trust", "-E", "UTF8", "-U", "bench"]
            subprocess.run(make, check=True, stdout=self.log, stderr=self.log, **self.identity())
        return super().start()

    def ready(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self):
        import psycopg

        return psycopg.connect(host="127.0.0.1", port=self.port, user="bench", dbname="postgres", autocommit=True)


def first_line(*command: str) -> str:
    """What a program says first."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not installed"


def versions() -> dict[str, str]:
    """Of everything that is compared."""
    from importlib.metadata import PackageNotFoundError, version

    found = {
        "Andon": first_line(ANDON, "--version"),
        "InfluxDB": first_line("influxd", "version"),
        "VictoriaMetrics": first_line("dpkg-query", "-W", "-f", "${Version}", "victoria-metrics"),
        "PostgreSQL": first_line(str(POSTGRES[-1] / "postgres"), "--version") if POSTGRES else "not installed",
    }
    for package in ("duckdb", "chdb", "pyarrow", "psycopg"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
