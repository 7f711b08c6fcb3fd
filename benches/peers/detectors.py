"""Detector steps per second of one core: the engine alone against the same machine written for peers, over the same samples."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from machines import ALARM, DELAY, NORMAL, ROW, RUNNING, TEMPERATURE, WARMING, checksum
from quiet import alone
from results import Comparison, Result, alternately

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIDE = os.environ.get("ANDON_DETECTORS_BIN")
"""The bench program `side_by_side` of the detectors' crate; built when it is not named."""
FLINK = "apache-flink-libraries==1.20.5"
"""Its jars, Flink CEP among them; 230 MB."""
MACHINES = 10_000
ROWS_OF_CEP = 600_000
"""Flink CEP needs half a minute for them."""
LONGEST_SHORT, LEAST_LONG, MOST_LONG = 25, 35, 45
"""Seconds that a machine stays hot: half of the times too short for the alarm, half long enough. None is exactly the delay."""
COOL = 222
"""Mean seconds between, which makes one sample in a hundred a transition."""

PLANT = """
plant: { name: Bench, timezone: UTC }
sources:
  plc: { modbus: tcp://127.0.0.1:502, unit: 1, every: 1s }
models:
  filler:
    attributes:
      temp_limit: { default: 80, unit: °C }
    measurements:
      fill_temp: { unit: °C, from: holding/0 float32 @plc }
      running: { type: bool, from: coil/0 @plc }
    detectors:
      overheat:
        priority: high
        message: Bowl {fill_temp} is above {temp_limit}
        initial: normal
        states:
          normal:
            go:
              - { when: fill_temp > temp_limit and running, to: hot }
          hot:
            initial: warming
            go:
              - { when: fill_temp < temp_limit - 3, to: normal, do: [clear] }
            states:
              warming:
                go:
                  - { after: 30s, to: alarm }
              alarm:
                enter: [raise]
assets:
"""


def made(rows: int, seed: int = 5) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Samples in order of time, and the transitions that must follow: the oracle, known because the hot times are laid out first."""
    random = np.random.default_rng(seed)
    steps = rows // MACHINES
    hot, moves = np.zeros((steps, MACHINES), dtype=bool), []
    for machine in range(MACHINES):
        at = 1 + int(random.exponential(COOL))
        while True:
            short = random.random() < 0.5
            long = int(random.integers(5, LONGEST_SHORT + 1) if short else random.integers(LEAST_LONG, MOST_LONG + 1))
            if at + long >= steps:
                break
            hot[at : at + long, machine] = True
            second = at + 2
            moves.append((second, machine, NORMAL, WARMING))
            if not short:
                moves.append((second + DELAY, machine, WARMING, ALARM))
            moves.append((second + long, machine, WARMING if short else ALARM, NORMAL))
            at += long + 1 + int(random.exponential(COOL))
    samples = np.zeros((steps + 1) * MACHINES, dtype=ROW)
    samples["time"] = np.repeat(np.arange(1, steps + 2), MACHINES)
    samples["machine"] = np.tile(np.arange(MACHINES), steps + 1)
    samples["tag"][:MACHINES], samples["value"][:MACHINES] = RUNNING, 1.0
    samples["tag"][MACHINES:] = TEMPERATURE
    degrees = np.where(hot, random.uniform(81, 95, hot.shape), random.uniform(60, 76, hot.shape))
    samples["value"][MACHINES:] = np.round(degrees, 1).ravel()
    return samples, moves


def side() -> str:
    """The program of our side; built here if nobody names one."""
    if SIDE:
        return SIDE
    build = ["cargo", "build", "--release", "-p", "andon-detectors", "--bench", "side_by_side", "--message-format=json"]
    done = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    built = [json.loads(line) for line in done.stdout.splitlines()]
    return next(one["executable"] for one in built if one.get("executable") and one["target"]["name"] == "side_by_side")


class Load:
    """Samples in a file, and what is to be found in them."""

    def __init__(self, folder: Path, rows: int) -> None:
        samples, moves = made(rows)
        self.file = folder / f"samples-{rows}.bin"
        samples.tofile(self.file)
        self.rows, self.moves, self.sum = len(samples), len(moves), checksum(moves)

    def rate(self, *command: str) -> float:
        """Steps per second of a side, once its answer is right."""
        done = subprocess.run([*alone(), *command], capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        expected = (self.rows, self.moves, self.sum)
        assert (told["rows"], told["transitions"], told["sum"]) == expected, f"{command}: {told}, expected {expected}"
        return told["rows"] / told["seconds"]


def detectors(arguments) -> Result:
    folder = arguments.folder / "detectors"
    folder.mkdir(parents=True, exist_ok=True)
    plant = folder / "plant.yaml"
    plant.write_text(PLANT + "".join(f"  Filler {number}: {{ model: filler, plc: plc }}\n" for number in range(MACHINES)))
    many, few = Load(folder, arguments.rows), Load(folder, min(arguments.rows, ROWS_OF_CEP))
    python = (sys.executable, str(HERE / "machines.py"))
    peers = [
        ("Python, states and guards in a dict", 10, 30, many, (*python, "table")),
        ("Python, this machine written out", 10, 30, many, (*python, "dict")),
        ("bytewax", 20, 60, many, (*python, "bytewax")),
    ]
    if flink := flink_command(folder):
        peers.append(("Flink CEP, three patterns", 20, 60, few, (*flink, "cep")))
        peers.append(("Flink, keyed process function", None, None, many, (*flink, "process")))
    ours = side()
    comparisons = []
    for name, floor, goal, load, command in peers:
        mine, theirs = alternately(
            arguments.pairs,
            lambda load=load: load.rate(ours, str(plant), str(load.file), str(MACHINES)),
            lambda load=load, command=command: load.rate(*command, str(load.file)),
        )
        what = f"{load.rows:,} samples, {load.moves:,} transitions"
        comparisons.append(Comparison(what, "steps/s of a core", name, mine, theirs, floor=floor, goal=goal))
    shutil.rmtree(folder)
    return Result(
        "detectors",
        "Detector steps per second of one core",
        f"{MACHINES:,} machines with a sample each a second, read from one file before the time counts; a nested state, a rule of the "
        f"group, an alarm after {DELAY} s of event time. The transitions were laid out when the samples were made; each side found "
        "exactly these (count, and a sum over time, machine, from and to). Bound to one core, ahead of everything else on the machine; "
        f"Flink warm. Andon also makes an explanation, an alarm record and a snapshot for each transition; the peers keep the move "
        f"alone.{'' if flink else ' Flink was not there: it needs its package and javac.'}",
        comparisons,
        versions(bool(flink)),
    )


def flink_command(folder: Path) -> tuple[str, ...]:
    """How the job is started, compiled against Flink's own jars; empty without javac or the package, which is installed if it can be."""
    if not shutil.which("javac"):
        return ()
    if importlib.util.find_spec("pyflink") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", FLINK])
        importlib.invalidate_caches()
    found = importlib.util.find_spec("pyflink")
    if found is None:
        return ()
    jars = Path(found.submodule_search_locations[0]) / "lib"
    needed = (jar for name in ("flink-dist", "flink-cep", "log4j") for jar in sorted(jars.glob(f"{name}-*.jar")))
    path = ":".join(str(jar) for jar in needed)
    subprocess.run(["javac", "-nowarn", "-cp", path, "-d", str(folder), str(HERE / "MachineJob.java")], check=True, capture_output=True)
    # What Flink's own start script opens for Java 17.
    opens = (f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.util", "java.lang", "java.time"))
    return ("java", "-Xmx2g", *opens, "-cp", f"{path}:{folder}", "MachineJob")


def versions(flink: bool) -> dict[str, str]:
    found = {"Python": platform.python_version(), "bytewax": importlib.metadata.version("bytewax")}
    if flink:
        found["apache-flink-libraries"] = importlib.metadata.version("apache-flink-libraries")
        java = subprocess.run(["java", "-version"], capture_output=True, text=True)
        found["Java"] = java.stderr.splitlines()[0]
    return found
