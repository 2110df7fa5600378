"""Where the CPU of an image goes: each stage by itself, and beside it the whole service.

``python bench/cost/run.py [--photos FOLDER] [--peer FOLDER] [--images N] [TASK …]``

For each task (those of ``bench/e2e``) CPU milliseconds an image, as means: first of each stage alone (``stages.py``),
one image at a time; then of the service's processes, with the photos sent one after the other. What a process uses
beyond its stages is its rest: HTTP, event loop, threads, bells, beats.

libvips does nothing before it must: to be told apart, decoding, steps and encoding are each evaluated into memory, and
together take somewhat more than ``make()`` at once, which stands beside them. ``sandbox`` is what a decoder process
costs beyond ``make()``, to the worker and in the decoder. Events are the statements that write them; their share of
the commit is the transaction's.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import logging
import sqlite3
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parent), str(ROOT)]

import load  # noqa: E402
import raw  # noqa: E402
import services  # noqa: E402
import stages  # noqa: E402
import structlog  # noqa: E402
import tree  # noqa: E402

from pixelmill.records.database import sqlite_path  # noqa: E402

#: Tasks, and how many images of each; beside them one of each photo to warm up.
TASKS = {"default": 54, "six": 36, "small": 108}
PARTS = ("API", "worker", "decoders", "queue", "supervisor")
PATIENCE = 300.0


async def apart(photos: list[Path], fields: dict[str, str], images: int) -> dict[str, float]:
    """CPU ms an image of each stage, by ``part: stage``."""
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        async with stages.parts(Path(at), fields) as bench:
            await bench.run(photos)  # what is made once (connections, compiled code) is not what an image costs
            bench.clock.spent.clear()
            bench.valkey = 0.0
            gc.collect()
            gc.freeze()
            await bench.run([*islice(cycle(photos), images)])
            spent = bench.clock.spent
            spent["queue", "Valkey"] = bench.valkey
            whole = spent["make", "at once"]
            spent["decoders", "not apart"] = whole - sum(
                used for (part, stage), used in spent.items() if part == "decoders" and stage != "sandbox"
            )
            spent["decoders", "sandbox"] -= whole
            return {f"{part}: {stage}": 1000 * used / images for (part, stage), used in spent.items()}


def together(photos: list[Path], fields: dict[str, str], images: int) -> dict[str, float]:
    """CPU ms an image of each of the service's processes."""
    bodies = [load.body([photo], fields) for photo in photos]
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at, services.pixelmill(Path(at), 2) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)

        def send(count: int) -> None:
            for body in islice(cycle(bodies), count):
                load.ask(connection, "POST", "/process-images", body)
            _until_done(sqlite_path(Path(at) / "data"))

        send(len(bodies))
        before = tree.cpu_by_part(running.roots)
        send(images)
        after = tree.cpu_by_part(running.roots)
        connection.close()
    return {part: 1000 * (after[part] - before.get(part, 0.0)) / images for part in after}


def _until_done(path: Path) -> None:
    """Not by asking the API, whose CPU is measured."""
    end = time.monotonic() + PATIENCE
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as records:
        while found := records.execute("SELECT status FROM batches WHERE status != 'completed' LIMIT 1").fetchone():
            if found[0] not in ("waiting", "processing") or time.monotonic() > end:
                raise SystemExit(f"a batch is {found[0]}")
            time.sleep(0.1)
    records.close()


def show(task: str, alone: dict[str, float], whole: dict[str, float]) -> None:
    total = sum(whole.values())
    print(f"\n{task}: CPU ms an image, {total:.2f} in all\n{'where':12}{'stage':18}{'ms':>9}{'share':>8}")

    def line(part: str, stage: str, used: float) -> None:
        print(f"{part:12}{stage:18}{used:9.2f}{100 * used / total:7.1f}%")

    for part in PARTS:
        its = {name.partition(": ")[2]: used for name, used in alone.items() if name.startswith(f"{part}: ")}
        for stage, used in sorted(its.items(), key=lambda one: -one[1]):
            line(part, stage, used)
        if its:
            line(part, "rest", whole[part] - sum(its.values()))
        line(part, "TOTAL", whole[part])
    print(f"make() at once in this process: {alone['make: at once']:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared" / "photos")
    parser.add_argument("--peer", type=Path, default=ROOT.parent / "shared" / "peer", help="where six.json is")
    parser.add_argument("--images", type=int, help=", ".join(f"{name}: {images}" for name, images in TASKS.items()))
    options = parser.parse_args()
    if unknown := set(options.tasks) - {*TASKS}:
        parser.error(f"unknown task: {', '.join(sorted(unknown))}")
    photos = sorted(options.photos.glob("*.jpg"))
    if not photos or not (options.peer / "six.json").exists():
        parser.error("name a folder of JPEGs with --photos, and that of six.json with --peer")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    lines: list[dict[str, Any]] = [raw.about() | {"photos": [photo.name for photo in photos]}]
    print(json.dumps(lines[0]))
    for task in options.tasks:
        images = options.images or TASKS[task]
        fields = {"recipe": (options.peer / "six.json").read_text()} if task == "six" else {}
        with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
            its = load.small(photos, Path(folder)) if task == "small" else photos
            alone, whole = asyncio.run(apart(its, fields, images)), together(its, fields, images)
        lines.append({"task": task, "images": images, "stages": alone, "service": whole})
        show(task, alone, whole)
    raw.keep("cost", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
