"""Pixelmill, the seeds' Node stack and bare libvips on the same photos, in turn, in one go: ``make bench ARGS=e2e``.

``python bench/e2e/run.py [--photos FOLDER] [--peer FOLDER] [--rounds N] [--images N] [--workers N] [TASK …]``

Prints images/s, the latency of the 202, CPU seconds and peak memory of both services, how they compare with libvips
alone, and where our CPU goes by process, round by round and as medians; raw lines go to ``bench/results/``. Absolute
figures belong to the machine and the moment: only ratios of one run say anything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import load
import raw
import services
import tree

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Tasks, and how many images of each: some seconds of work for either, so that its beginning and end weigh little.
TASKS = {"default": 160, "six": 96, "small": 480, "small10": 960}
#: Photos to a request, where it is more than one; the peer takes no more than ten.
EACH = {"small10": 10}
ROWS = {
    "images/s": ("{:.2f}", "more is better"),
    "202 p50 ms": ("{:.1f}", "less is better"),
    "202 p99 ms": ("{:.1f}", "less is better"),
    "CPU s/image": ("{:.4f}", "less is better"),
    "peak MB": ("{:.0f}", "less is better"),
}


def measure(name: str, task: str, photos: list[Path], options: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        folder = Path(at)
        images, connections, each = options.images or TASKS[task], options.connections, EACH.get(task, 1)
        fields: dict[str, str] = {}
        path = "/process-images"
        if name == "pixelmill":
            context = services.pixelmill(folder, options.workers)
            if task == "six":
                fields["recipe"] = json.dumps(json.loads((options.peer / "six.json").read_text()))
        else:
            context = services.peer(folder, options.workers, options.peer)
            if task == "six":
                path += "?variants=six"
        with context as running:
            # What is made once (connections, compiled code) is not what an image costs.
            load.run(
                running.port, path, photos, fields, images=2 * connections * each, connections=connections, each=each
            )
            before, parts = tree.cpu_seconds(running.roots), tree.cpu_by_part(running.roots)
            with tree.Peak(running.roots) as peak:
                done = load.run(running.port, path, photos, fields, images=images, connections=connections, each=each)
            cpu = tree.cpu_seconds(running.roots) - before
            parts = {part: used - parts.get(part, 0) for part, used in tree.cpu_by_part(running.roots).items()}
    return {
        "images/s": done.rate,
        "202 p50 ms": 1000 * done.latency(0.5),
        "202 p99 ms": 1000 * done.latency(0.99),
        "CPU s/image": cpu / done.images,
        "peak MB": peak.bytes / 1e6,
        **(
            {f"CPU ms {part}": 1000 * used / done.images for part, used in parts.items()} if name == "pixelmill" else {}
        ),
    }


def around(task: str, photos: list[Path], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Pixelmill, and libvips alone just before and just after it: its mean is of the same machine, if that drifts."""
    before = bare(task, photos, options)
    ours = measure("pixelmill", task, photos, options)
    after = bare(task, photos, options)
    return {"pixelmill": ours, "bare": {row: (before[row] + after[row]) / 2 for row in before}}


def beside(task: str, photos: list[Path], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The peer, in a turn of its own."""
    return {"peer": measure("peer", task, photos, options)}


def bare(task: str, photos: list[Path], options: argparse.Namespace) -> dict[str, float]:
    """What libvips alone does on as many processes."""
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        script = [
            sys.executable,
            str(HERE / "bare.py"),
            task,
            str(options.images or TASKS[task]),
            str(options.workers),
            folder,
        ]
        done = subprocess.run([*script, *map(str, photos)], capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def show(task: str, rounds: list[dict[str, dict[str, float]]]) -> None:
    print(f"\n{task}: medians of {len(rounds)} rounds, and the ratio pixelmill/peer (median; lowest to highest)")
    print(f"{'':14}{'pixelmill':>12}{'peer':>12}{'ratio':>9}   range")
    for row, (form, sense) in ROWS.items():
        ours, theirs = ([one[name][row] for one in rounds] for name in ("pixelmill", "peer"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        values = (form.format(statistics.median(values)) for values in (ours, theirs))
        print(
            f"{row:14}{next(values):>12}{next(values):>12}{statistics.median(ratios):>9.2f}"
            f"   {min(ratios):.2f} to {max(ratios):.2f}, {sense}"
        )
    for name in ("pixelmill", "peer"):
        ratios = [one[name]["images/s"] / one["bare"]["images/s"] for one in rounds]
        rate = statistics.median(one["bare"]["images/s"] for one in rounds)
        print(
            f"{name} against bare libvips ({rate:.2f} images/s): {statistics.median(ratios):.2f}"
            f"   {min(ratios):.2f} to {max(ratios):.2f}, more is better"
        )
    cpu = statistics.median(1000 * one["bare"]["CPU s/image"] for one in rounds)
    print(f"CPU ms an image: {cpu:.1f} bare;", end=" ")
    parts = [row for row in rounds[0]["pixelmill"] if row.startswith("CPU ms ")]
    print(", ".join(f"{row[7:]} {statistics.median(one['pixelmill'][row] for one in rounds):.1f}" for row in parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared" / "photos")
    parser.add_argument("--peer", type=Path, default=ROOT.parent / "shared" / "peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, help=", ".join(f"{name}: {images}" for name, images in TASKS.items()))
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if unknown := set(options.tasks) - {*TASKS}:
        parser.error(f"unknown task: {', '.join(sorted(unknown))}")
    photos = sorted(options.photos.glob("*.jpg"))
    if not photos or not (options.peer / "api.js").exists():
        parser.error("name a folder of JPEGs with --photos, and the peer's folder with --peer")
    header = (
        raw.about()
        | {"node": raw.said("node", "--version")}
        | {
            "photos": [photo.name for photo in photos],
            "images": {task: options.images or TASKS[task] for task in options.tasks},
            "workers": options.workers,
        }
    )
    print(json.dumps(header))
    lines = [header]
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        for task in options.tasks:
            its_photos = load.small(photos, Path(folder)) if task.startswith("small") else photos
            rounds = []
            for number in range(options.rounds):
                # In turn, and the other one first each time, so that a drift of the machine falls on both.
                one: dict[str, dict[str, float]] = {}
                for who in [around, beside][:: 1 if number % 2 == 0 else -1]:
                    one |= who(task, its_photos, options)
                rounds.append(one)
                lines.append({"task": task, "round": number, **one})
                print(json.dumps(lines[-1]), flush=True)
            show(task, rounds)
    raw.keep("e2e", lines)


if __name__ == "__main__":
    main()
