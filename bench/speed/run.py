"""Draws what the other benches measured last: ``make bench ARGS=speed``.

``python bench/speed/run.py`` reads the newest raw lines of ``e2e`` (for each task), ``cost``, ``ack``, ``memory``,
``formats`` and ``scale reuse`` in ``bench/results/``, and writes ``docs/images/speed-*.svg`` for
``docs/explanation/speed.md``. It measures nothing, so it takes a second. Values are medians of the rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent), str(ROOT / "bench" / "formats")]

from bars import Bars, svg  # noqa: E402
from published import PUBLISHED  # noqa: E402

from tests.chaos import plot  # noqa: E402

Line = dict[str, Any]
FORMATS = ("jpeg", "png", "webp", "avif")
TASKS = ("default", "six", "small", "small10")
#: Differences of two measurements, which may be less than nothing.
DERIVED = ("decoders: sandbox", "decoders: not apart")
PARTS = ("API", "worker", "decoders", "queue")


def newest(bench: str) -> Iterator[list[Line]]:
    """The raw lines of each run, the newest first."""
    for file in sorted((ROOT / "bench" / "results").glob(f"{bench}-*.jsonl"), reverse=True):
        yield [json.loads(line) for line in file.read_text().splitlines()]


def last(bench: str, wanted: Callable[[Line], bool] = lambda _: True) -> list[Line]:
    """Those lines of the newest run in which there are any; the first, which tells of the machine, is none of them."""
    return next((found for run in newest(bench) if (found := [line for line in run[1:] if wanted(line)])), [])


def median(rounds: Iterable[Line], who: str, row: str) -> float:
    return statistics.median(one[who][row] for one in rounds)


def ratio(rounds: Iterable[Line], who: str, other: str) -> float:
    """Of images/s, as the benches print it: the median of each round's."""
    return statistics.median(one[who]["images/s"] / one[other]["images/s"] for one in rounds)


def end_to_end() -> dict[str, list[Bars]]:
    tasks = {task: last("e2e", lambda line, task=task: line["task"] == task) for task in TASKS}  # type: ignore[misc]
    tasks = {task: rounds for task, rounds in tasks.items() if rounds}

    def both(row: str, times: float = 1) -> dict[str, dict[str, float]]:
        return {
            task: {who: median(rounds, who, row) * times for who in ("pixelmill", "peer")}
            for task, rounds in tasks.items()
        }

    share = {task: {who: ratio(rounds, who, "bare") for who in ("pixelmill", "peer")} for task, rounds in tasks.items()}
    rate = [
        Bars("images/s, bare libvips being 1: more is better", share, "{:.2f}", mark=1),
        Bars("CPU ms an image: less is better", both("CPU s/image", 1000), "{:.0f}"),
    ]
    latency = [
        Bars(f"ms to the 202 under saturation, {row}: less is better", both(f"202 {row} ms")) for row in ("p50", "p99")
    ]
    memory = [Bars("peak memory of all processes, MB: less is better", both("peak MB"))]
    split = {}
    for task, rounds in tasks.items():
        split[task] = {part: median(rounds, "pixelmill", f"CPU ms {part}") for part in PARTS}
        split[f"{task}, bare"] = {"bare libvips": 1000 * median(rounds, "bare", "CPU s/image")}
    return {
        "rate": rate,
        "latency": [*latency, *acknowledged()],
        "memory": memory,
        "parts": [Bars("CPU ms an image, by process, beside bare libvips", split, "{:.0f}", piled=True)],
    }


def acknowledged() -> list[Bars]:
    rounds = last("ack")
    found = {row: {who: median(rounds, who, f"{row} ms") for who in ("pixelmill", "peer")} for row in ("p50", "p99")}
    return [Bars("ms to the 202 for a photo of 1 MB while all workers are busy", found)]


def stages() -> dict[str, list[Bars]]:
    """CPU of an image by stage; the decoders' of a large photo would hide all others."""
    runs = {line["task"]: line["stages"] for line in last("cost", lambda line: line["task"] != "default")}
    return {
        "stages": [
            Bars(
                f"CPU ms an image in the {part}, by stage",
                {
                    stage.partition(": ")[2]: {task: found[stage] for task, found in runs.items() if stage in found}
                    for stage in dict.fromkeys(stage for found in runs.values() for stage in found)
                    if stage.startswith(f"{part}: ") and stage not in DERIVED
                },
                "{:.1f}",
            )
            for part in ("API", "worker", "decoders")
        ]
    }


def formats() -> dict[str, list[Bars]]:
    """Those that were published are of another machine, and to thumbor's figure there."""
    others = {name.split()[0]: rates for name, rates in PUBLISHED.items() if name.endswith("2026")}
    found: dict[str, dict[str, float]] = {}
    for name in FORMATS:
        rounds = last("formats", lambda line, name=name: line["format"] == name)  # type: ignore[misc]
        found[name] = {f"Pixelmill, {who}": ratio(rounds, who, "thumbor") for who in ("decoders", "worker")}
        for who in ("imgproxy", "imagor"):
            found[name][f"{who}, published"] = others[who][name] / others["thumbor"][name]
    return {"formats": [Bars("images/s by format, thumbor being 1: more is better", found, "{:.1f}", mark=1)]}


def reuse() -> dict[str, list[Bars]]:
    turns = last("scale", lambda line: line["part"] == "reuse")
    made = {"the first time": "first", "without": "again, no reuse", "with": "again, with reuse"}
    found = {said: {"six variants": 1000 * median(turns, how, "CPU s/image")} for how, said in made.items()}
    return {"reuse": [Bars("CPU ms an image: less is better", found)]}


def flat() -> None:
    lines = last("memory")
    points = {
        name: [(line["images"], line[name] / 1e6) for line in lines if "images" in line] for name in ("peak", "held")
    }
    write("flat", plot.svg("images", [plot.Panel("memory of all processes over ten thousand images, MB", points)]))


def write(name: str, drawn: str) -> None:
    target = ROOT / "docs" / "images" / f"speed-{name}.svg"
    target.write_text(drawn)
    print(target.relative_to(ROOT))


def main() -> None:
    for name, panels in (end_to_end() | stages() | formats() | reuse()).items():
        write(name, svg(panels))
    flat()


if __name__ == "__main__":
    main()
