"""What a benchmark found: kept as JSON in `benches/results/`, shown in `benches/RESULTS.md`."""

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable

import psutil

FOLDER = Path(__file__).resolve().parents[1] / "results"
REPORT = FOLDER.parent / "RESULTS.md"
LIMITS = FOLDER / "limits.md"
"""What is said about the figures by hand."""
ENCODINGS = FOLDER / "encodings.md"


@dataclass
class Comparison:
    """Pairs of figures from one run, ours and a peer's, measured alternately."""

    name: str
    """What is compared, a row of the report."""
    unit: str
    peer: str
    ours: list[float]
    theirs: list[float]
    higher_is_better: bool = True
    floor: float | None = None
    """The ratio, ours to theirs, below which (above which, if lower is better) we fail."""
    goal: float | None = None
    durability: str = ""
    note: str = ""
    more: dict = field(default_factory=dict)
    """Other figures of the run, by name."""

    def ratios(self) -> list[float]:
        return sorted(ours / theirs for ours, theirs in zip(self.ours, self.theirs) if theirs)

    def verdict(self) -> str:
        ratio = statistics.median(self.ratios()) if self.ratios() else None
        if ratio is None or self.floor is None and self.goal is None:
            return ""
        reached = lambda bound: ratio >= bound if self.higher_is_better else ratio <= bound
        if self.goal is not None and reached(self.goal):
            return "goal met"
        if self.floor is None:
            return "short of the goal"
        return "floor met" if reached(self.floor) else "**below the floor**"


@dataclass
class Result:
    bench: str
    title: str
    how: str
    """What was done, with sizes, in a sentence or two."""
    comparisons: list[Comparison]
    versions: dict[str, str] = field(default_factory=dict)
    """Of what was compared; those of the stores if the benchmark does not say."""
    commit: str = ""
    when: str = ""
    machine: str = ""

    def save(self, versions: dict[str, str], commit: str) -> None:
        self.versions, self.commit = self.versions or versions, commit
        self.when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        memory = psutil.virtual_memory().total / 2**30
        self.machine = f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, load {os.getloadavg()[1]:.1f} (5 min)"
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.bench}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        render()


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def alternately(pairs: int, ours: Callable[[], dict], theirs: Callable[[], dict]) -> tuple[list[dict], list[dict]]:
    """Runs both `pairs` times, the one that begins changing."""
    found: tuple[list[dict], list[dict]] = ([], [])
    for number in range(pairs):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            found[side].append((ours, theirs)[side]())
    return found


def shown(value: float) -> str:
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def spread(values: list[float]) -> str:
    """Least, median, most."""
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(min(values))} – **{shown(statistics.median(values))}** – {shown(max(values))}"


def render() -> None:
    """Writes the report anew from all results that are kept."""
    text = [
        "# Measured, side by side",
        "",
        "Written by `benches/peers/run`; every figure comes from a run of it, the sides taking turns. `least – **median** – most`.",
        "Each side's answer was compared with what was sent (count and sum) or with the other side's answer before its time counted.",
        "",
        "A ratio is Andon : peer. D0 acknowledged from memory, D1 written to a file, D2 on disk (fdatasync).",
        "",
    ]
    kept = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]
    order = {name: number for number, name in enumerate(ORDER)}
    for result in sorted(kept, key=lambda result: (order.get(result["bench"], len(order)), result["bench"])):
        text += [f"## {result['title']}", "", result["how"], ""]
        text += ["| what | unit | Andon | peer | | ratio | floor, goal | |", "|---|---|---|---|---|---|---|---|"]
        for kept_comparison in result["comparisons"]:
            one = Comparison(**kept_comparison)
            floor, goal = ("–" if bound is None else f"{bound:g}" for bound in (one.floor, one.goal))
            bounds = f"{floor}, {goal}" if goal != "–" else floor.removesuffix("–")
            peer = one.peer + (f" ({one.durability})" if one.durability else "")
            ratio = spread(one.ratios()) if one.ratios() else ""
            theirs = spread(one.theirs) if one.theirs else ""
            text.append(
                f"| {one.name} | {one.unit} | {spread(one.ours)} | {theirs} | {peer} | {ratio} | {bounds} | {one.verdict()} |"
            )
        text.append("")
        for kept_comparison in result["comparisons"]:
            one = Comparison(**kept_comparison)
            if one.note:
                text += [f"{one.name}: {one.note}", ""]
            if one.more:
                told = "; ".join(f"{name} {value}" for name, value in one.more.items())
                text += [f"{one.name}: {told}.", ""]
        used = "; ".join(f"{name} {version}" for name, version in result["versions"].items())
        text += [f"{result['when']}, commit {result['commit']}, {result['machine']}. {used}.", ""]
    for path in (LIMITS, ENCODINGS):
        text += [path.read_text().rstrip(), ""] if path.exists() else []
    REPORT.write_text("\n".join(text))


ORDER = (
    "ingest-influxdb",
    "ingest-victoriametrics",
    "ingest-postgresql",
    "late",
    "size",
    "raw",
    "product",
    "memory",
    "growth",
    "startup",
    "metrics",
    "oee",
    "detectors",
    "mqtt",
    "questions",
    "backtest",
    "write",
    "pages",
)
"""In which order results are shown."""
