"""Benchmarks side by side. One command each; `all` runs them one after the other.

    benches/peers/run ingest-influxdb
    benches/peers/run raw --rows 100000000
    benches/peers/run all --scale 0.01       # everything small: does it work?
    benches/peers/run report                 # RESULTS.md from what is kept
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import backtest
import detectors
import growth
import ingest
import late
import memory
import metrics
import mqtt
import pages
import queries
import questions
import results
import size
import write
from servers import versions

BENCHES = {
    "ingest-influxdb": (ingest.influxdb, {"rows": 2_000_000, "pairs": 5, "connections": [1, 4]}),
    "ingest-victoriametrics": (ingest.victoriametrics, {"rows": 5_000_000, "pairs": 5, "connections": [1, 4]}),
    "ingest-postgresql": (ingest.postgresql, {"rows": 3_000_000, "pairs": 3, "connections": [1, 4], "batch": 10_000}),
    "late": (late.late, {"rows": 3_000_000, "pairs": 5, "connections": [4], "batch": 10_000}),
    "size": (size.size, {"rows": 36_000_000, "assets": 100}),
    "raw": (queries.raw, {"rows": 100_000_000, "pairs": 7}),
    "product": (queries.product, {"rows": 100_000_000, "pairs": 7, "days": 30}),
    "memory": (memory.memory, {"series": 1_000_000, "pairs": 2, "settle": 30}),
    "growth": (growth.growth, {"sizes": [10_000_000, 100_000_000, 1_000_000_000], "pairs": 3}),
    "startup": (growth.replay, {"rows": 900_000, "pairs": 5}),
    "detectors": (detectors.detectors, {"rows": 2_000_000, "pairs": 3}),
    "metrics": (metrics.metrics, {"rows": 1_000_000, "pairs": 3}),
    "oee": (metrics.oee, {"pairs": 3, "days": 30}),
    "mqtt": (mqtt.mqtt, {"rate": 2_000, "seconds": 10, "pairs": 3}),
    "questions": (questions.questions, {"rate": 200, "seconds": 10, "people": 4, "pairs": 3}),
    "backtest": (backtest.backtest, {"rows": 2_000_000, "pairs": 3}),
    "pages": (pages.pages, {"seconds": 60, "parts": list(pages.PARTS)}),
    "write": (write.write, {"writes": 30, "pairs": 3}),
}


def commit() -> str:
    """What was built: said by ANDON_COMMIT, else the source as it is now."""
    if "ANDON_COMMIT" in os.environ:
        return os.environ["ANDON_COMMIT"]
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=[*BENCHES, "all", "report"])
    parser.add_argument("--rows", type=int, help="samples; each benchmark has its own default")
    parser.add_argument("--series", type=int, help="series of `memory`")
    parser.add_argument("--pairs", type=int, help="how often each side runs")
    parser.add_argument("--connections", type=lambda text: [int(n) for n in text.split(",")], help="for example 1,4")
    parser.add_argument("--batch", type=int, help="samples of a request")
    parser.add_argument("--sizes", type=lambda text: [int(float(n)) for n in text.split(",")], help="of `growth`, for example 1e7,1e8")
    parser.add_argument("--assets", type=int, help="of `size`; each has 100 tags")
    parser.add_argument("--days", type=int, help="of `product` and `oee`")
    parser.add_argument("--rate", type=int, help="messages a second of `mqtt` and `questions`")
    parser.add_argument("--seconds", type=int, help="how long `mqtt` and `questions` send, and CPU is counted for `pages`")
    parser.add_argument("--people", type=int, help="who ask in `questions`")
    parser.add_argument("--parts", type=lambda text: text.split(","), help=f"of `pages`: {','.join(pages.PARTS)}")
    parser.add_argument("--writes", type=int, help="of a run of `write`")
    parser.add_argument("--settle", type=int, help="seconds before memory is read")
    parser.add_argument("--scale", type=float, default=1.0, help="of all default sizes")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "andon-bench", help="for data, at most 20 GB")
    parser.add_argument("--no-save", action="store_true", help="only print")
    given = parser.parse_args()
    if given.bench == "report":
        results.render()
        return
    for name in BENCHES if given.bench == "all" else [given.bench]:
        function, defaults = BENCHES[name]
        values = {}
        for key, value in defaults.items():
            own = getattr(given, key, None)
            if own is None and key in ("rows", "series"):
                own = int(value * given.scale)
            if own is None and key == "sizes":
                own = [int(one * given.scale) for one in value]
            values[key] = value if own is None else own
        arguments = argparse.Namespace(**values, folder=given.folder)
        given.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        result = function(arguments)
        print(f"{name}: {time.monotonic() - began:.0f} s")
        for one in result.comparisons:
            print(f"  {one.name} ({one.unit}): {results.spread(one.ours)} : {results.spread(one.theirs) if one.theirs else '-'}"
                  f" {one.peer}; ratio {results.spread(one.ratios()) if one.ratios() else '-'} {one.verdict()} {one.more or ''}")
        if not given.no_save:
            result.save(versions(), commit())
    if not any(given.folder.iterdir()):
        shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
