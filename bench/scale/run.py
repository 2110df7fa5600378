"""How cost grows with the work: ``make bench ARGS=scale``.

``python bench/scale/run.py [--photos FOLDER] [--most-rows N] [--plots] [PART …]``

Parts: ``rows`` in the record, ``batch``: images of one batch, ``variants`` of one image, ``megapixels``, ``workers``,
``reuse`` of results. Each but the rows is a worker on real parts without HTTP (see ``mill.py``). CPU seconds are what
another load on the machine disturbs least. Raw lines go to ``bench/results/``, plots to ``docs/images/``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from math import log10
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "e2e")]

import pyvips  # noqa: E402
import raw  # noqa: E402
from mill import ROOT, mill, resized  # noqa: E402

from pixelmill.records import (  # noqa: E402
    Database,
    batches,
    claims,
    events,
    images,
    intents,
    migrate,
    monitor,
    sqlite_url,
    waiting,
    work,
)
from pixelmill.records.intents import NewBatch, NewImage  # noqa: E402
from tests.chaos.plot import Panel, svg  # noqa: E402
from tests.rows import batch_id, fill, image_id  # noqa: E402

Line = dict[str, Any]


async def cost(ask: Callable[[], Awaitable[object]], times: int = 40) -> float:
    """CPU milliseconds of one call, SQLite's part included, which runs in this process."""
    await ask()
    begun = time.process_time()
    for _ in range(times):
        await ask()
    return round(1000 * (time.process_time() - begun) / times, 3)


async def rows(options: argparse.Namespace) -> list[Line]:
    """CPU milliseconds of what is asked all the time, on SQLite."""
    lines = []
    for number in (10**power for power in range(3, 7) if 10**power <= options.most_rows):
        with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
            db = Database(sqlite_url(Path(folder)))
            await migrate(db)
            await fill(db, number)
            asks: dict[str, Callable[[], Awaitable[object]]] = {
                "a batch": lambda: batches.find(db, batch_id(7)),  # noqa: B023
                "its images": lambda: images.of_batch(db, batch_id(7)),  # noqa: B023
                "its events": lambda: events.after(db, batch_id(7), 0),  # noqa: B023
                "a job": lambda: images.find(db, image_id(77)),  # noqa: B023
                "page of batches": lambda: batches.page(db, owner="tenant-1"),  # noqa: B023
                "page of jobs": lambda: monitor.jobs(db, owner="tenant-1"),  # noqa: B023
                "failed jobs": lambda: monitor.jobs(db, owner="tenant-1", state="failed"),  # noqa: B023
                "counts by state": lambda: monitor.counts(db),  # noqa: B023
                "reconciler's page": lambda: waiting.page(db),  # noqa: B023
            }
            lines.append({"part": "rows", "rows": number} | {name: await cost(ask) for name, ask in asks.items()})
            await db.close()
        print(json.dumps(lines[-1]), flush=True)
    return lines


async def batch(options: argparse.Namespace) -> list[Line]:
    """CPU milliseconds of the record for an image, by how many there are in its batch; nothing is decoded."""
    lines = []
    for number in (1, 10, 100, 1_000, 10_000):
        with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
            db = Database(sqlite_url(Path(folder)))
            await migrate(db)
            new = [NewImage(image_id(n), f"{n}.jpg", f"originals/{n}", 9, "0", "jpeg") for n in range(number)]
            recipe = {"variants": [{"name": "a", "steps": []}]}
            await intents.begin(db, "batch", "bench")
            cpu = time.process_time()
            await intents.accept(db, NewBatch("batch", "", None, recipe, ["a"], {}, None, 0, new))
            accepting = time.process_time() - cpu
            some = new[:: max(1, number // 100)]
            cpu = time.process_time()
            for one in some:
                held = await work.claim(db, one.id, 1, token=one.id, process_id="bench", worker="bench")
                assert isinstance(held, claims.Claim)
                made = claims.MadeVariant("a", f"k{one.id}", "jpeg", "image/jpeg", 4, 3, 9, 80, 0.1, {})
                await work.complete(db, held, claims.Report(made=[made]))
            working = time.process_time() - cpu
            lines.append(
                {
                    "part": "batch",
                    "images": number,
                    "accept CPU ms/image": round(1000 * accepting / number, 3),
                    "claim and end CPU ms/image": round(1000 * working / len(some), 3),
                    "status CPU ms": await cost(lambda: images.of_batch(db, "batch")),  # noqa: B023
                }
            )
            await db.close()
        print(json.dumps(lines[-1]), flush=True)
    return lines


def photos_of(options: argparse.Namespace) -> list[Path]:
    found = sorted(options.photos.glob("*.jpg"))
    if not found:
        raise SystemExit("name a folder of JPEGs with --photos")
    return found


async def variants(options: argparse.Namespace) -> list[Line]:
    data = [path.read_bytes() for path in photos_of(options)[:3]]
    lines = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        async with mill(Path(folder), 1) as running:
            await running.work(data[:1], resized(100))
            for number in (1, 2, 5, 10, 20, 50):
                # Widths between a thumbnail and a large view: what n differ in is only how many there are.
                took = await running.work(data, resized(*(320 + 960 * n // number for n in range(number))))
                lines.append({"part": "variants", "variants": number} | took.told())
                print(json.dumps(lines[-1]), flush=True)
    return lines


async def megapixels(options: argparse.Namespace) -> list[Line]:
    photo = pyvips.Image.new_from_file(str(photos_of(options)[0])).colourspace("srgb")
    lines = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        async with mill(Path(folder), 1) as running:
            for size in (0.1, 0.5, 1, 2, 5, 10, 20, 50):
                factor = (size * 1e6 / (photo.width * photo.height)) ** 0.5
                data = photo.resize(factor).jpegsave_buffer(Q=85, keep="none")
                await running.work([data], resized(300))
                took = await running.work([data] * 3, resized(512))
                lines.append({"part": "megapixels", "megapixels": size, "bytes": len(data)} | took.told())
                print(json.dumps(lines[-1]), flush=True)
    return lines


async def workers(options: argparse.Namespace) -> list[Line]:
    data = [path.read_bytes() for path in photos_of(options)]
    lines = []
    for number in sorted({1, 2, 4, os.cpu_count() or 1}):
        with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
            async with mill(Path(folder), number) as running:
                await running.work(data[:2] * number, resized(512))
                took = await running.work(data * 3, resized(512))
        lines.append({"part": "workers", "workers": number} | took.told())
        print(json.dumps(lines[-1]), flush=True)
    return lines


async def reuse(options: argparse.Namespace) -> list[Line]:
    """The same photos sent again, in turn with reuse and without, on one worker that has made them before."""
    data = [path.read_bytes() for path in photos_of(options)]
    six = resized(160, 320, 480, 640, 960, 1280, facts=True)
    lines = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        async with mill(Path(folder), 2) as running:
            first = await running.work(data, six, reuse=True)
            for turn in range(3):
                found = {name: await running.work(data, six, reuse=name == "with") for name in ("with", "without")}
                lines.append(
                    {"part": "reuse", "turn": turn, "the first time": first.told()}
                    | {name: took.told() for name, took in found.items()}
                    | {"CPU, without to with": round(found["without"].cpu / found["with"].cpu, 1)}
                )
                print(json.dumps(lines[-1]), flush=True)
    return lines


PARTS = {
    "rows": rows,
    "batch": batch,
    "variants": variants,
    "megapixels": megapixels,
    "workers": workers,
    "reuse": reuse,
}


def draw(lines: list[Line]) -> None:
    """A plot for each part that was measured."""
    folder = ROOT / "docs" / "images"

    def curve(part: str, along: str, of: str, log: bool = False, times: float = 1) -> list[tuple[float, float]]:
        return [(log10(one[along]) if log else one[along], one[of] * times) for one in lines if one["part"] == part]

    def write(part: str, along: str, panels: list[Panel]) -> None:
        (folder / f"scale-{part}.svg").write_text(svg(along, panels))

    for part in {one["part"] for one in lines}:
        names = [name for name in next(one for one in lines if one["part"] == part) if name != "part"]
        if part == "rows":
            title = "CPU milliseconds of a call, by rows in the record"
            halves = (names[1:6], names[6:])
            write(
                part,
                "log10 of rows",
                [Panel(title, {n: curve(part, "rows", n, True) for n in half}) for half in halves],
            )
        elif part == "batch":
            title = "CPU milliseconds of the record, by images of a batch"
            write(part, "log10 of images", [Panel(title, {n: curve(part, "images", n, True) for n in names[1:]})])
        elif part != "reuse":
            along = names[0]
            cpu = Panel(
                f"CPU milliseconds an image, by {along}", {"an image": curve(part, along, "CPU s/image", times=1e3)}
            )
            rate = Panel(f"images a second, by {along}", {"in all": curve(part, along, "images/s")})
            write(part, along, [cpu, rate])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[*PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--photos", type=Path, default=ROOT / "tests" / "data" / "photos")
    parser.add_argument("--most-rows", type=int, default=10**6)
    parser.add_argument("--plots", action="store_true", help="draw docs/images/scale-*.svg")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS}:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    lines: list[Line] = [raw.about()]
    print(json.dumps(lines[0]))
    for part in options.parts:
        lines += asyncio.run(PARTS[part](options))
    raw.keep("scale", lines)
    if options.plots:
        draw(lines[1:])


if __name__ == "__main__":
    main()
