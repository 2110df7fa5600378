"""How far it goes: CPU time of one image in each part, and from that what N workers would do and what stops them first.

``python bench/fleet/run.py [--images N] [--decodes N] [--cores N]``

Measured, as CPU seconds an image (which other load on the machine changes little, unlike time): decoding and encoding
in a decoder process; the worker's own statements, with PostgreSQL's processes and SQLite apart; adding, taking and
acknowledging in Valkey's process. Then arithmetic: a part that is one process or one machine gives so many images a
second as its cores divided by its CPU time, and workers together as many as theirs; the smallest is the bottleneck.
A part is counted as full at 70 %. Network, disks and the object store are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import structlog

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench" / "e2e")]

import raw  # noqa: E402

from pixelmill.imaging import Decoders  # noqa: E402
from pixelmill.queue import Done, Job, Queue, Slots, Worker  # noqa: E402
from pixelmill.recipes import load_presets  # noqa: E402
from pixelmill.records import Database, claims, intents, migrate, sqlite_url, work  # noqa: E402
from pixelmill.records.intents import NewBatch, NewImage  # noqa: E402
from tests import servers  # noqa: E402
from tests.queues import Private  # noqa: E402

PRESETS = ("default", "web")
FULL = 0.7
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


def cpu(processes: Iterable[psutil.Process]) -> float:
    """Seconds of CPU that these have used."""
    total = 0.0
    for one in processes:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


async def decoding(preset: str, photos: list[Path], count: int) -> float:
    recipe = load_presets()[preset].recipe
    names = [variant.name for variant in recipe.variants]
    async with Decoders(1) as pool:
        child = [psutil.Process(pool.pids[0])]

        async def make(photo: Path) -> None:
            with photo.open("rb") as source:
                async for _ in pool.make(source, recipe, names):
                    pass

        await make(photos[0])
        before = cpu(child)
        for number in range(count):
            await make(photos[number % len(photos)])
        return (cpu(child) - before) / count


async def recording(url: str, names: list[str], count: int, server: list[psutil.Process]) -> tuple[float, float]:
    """CPU of this process and of the server for one image: accept (in tens), claim, record but the last, complete."""
    db = Database(url)
    await migrate(db)

    def everyone() -> list[psutil.Process]:
        return [one for root in server for one in (root, *root.children(recursive=True))]

    async def one(image_id: str) -> None:
        held = await work.claim(db, image_id, 1, token=f"t{image_id}", process_id="w", worker="w:1")
        assert isinstance(held, claims.Claim)
        made = [claims.MadeVariant(n, f"k/{n}", "jpeg", "image/jpeg", 9, 9, 99, 80, 0.1, {}) for n in names]
        for variant in made[:-1]:
            await work.record(db, held, claims.Report(made=[variant]))
        await work.complete(db, held, claims.Report(made=made[-1:]))

    async def batch(number: int) -> None:
        ids = [f"{number}-{n}" for n in range(10)]
        new = [NewImage(image_id, "a.jpg", "k", 9, "0" * 64, "jpeg") for image_id in ids]
        await intents.begin(db, f"b{number}", "api")
        await intents.accept(db, NewBatch(f"b{number}", "", None, {"variants": []}, names, {}, None, 0, new))
        for image_id in ids:
            await one(image_id)

    await batch(0)
    before, own = cpu(everyone()), time.process_time()
    await asyncio.gather(*(batch(number) for number in range(1, 1 + count // 10)))
    used, theirs = time.process_time() - own, cpu(everyone()) - before
    await db.close()
    return used / count, theirs / count


async def queueing(folder: Path, count: int) -> tuple[float, float]:
    """CPU of this process and of Valkey for one job: added with nine others, taken, acknowledged."""
    server = Private(folder)
    await server.start()
    assert server.process
    its, queue, done = [psutil.Process(server.process.pid)], Queue(server.url), asyncio.Semaphore(0)

    async def handler(job: Any) -> Done:
        done.release()
        return Done({"imageId": job.id})

    worker = Worker(queue, handler, slots=Slots(3))
    running = asyncio.create_task(worker.run())
    before, own = cpu(its), time.process_time()
    for start in range(0, count, 10):
        await queue.add([Job(f"image-{start + n}", 1, priority=5) for n in range(10)])
    for _ in range(count):
        await done.acquire()
    used, theirs = time.process_time() - own, cpu(its) - before
    worker.stop()
    await running
    await queue.close()
    server.kill()
    return used / count, theirs / count


def simulate(costs: dict[str, float], cores: int, database_cores: int) -> list[dict[str, Any]]:
    """Images a second of N workers with so many cores each, and what limits them."""
    rows = []
    for workers in WORKERS:
        limits = {
            "workers": workers * cores / (costs["decoding"] + costs["statements"] + costs["jobs"]),
            "PostgreSQL": FULL * database_cores / costs["postgres"],
            "Valkey": FULL / costs["valkey"],
        }
        first = min(limits, key=lambda name: limits[name])
        rows.append({"workers": workers, "images/s": limits[first], "limit": first})
    return rows


async def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    photos = sorted((ROOT / "tests" / "data" / "photos").glob("*.jpg"))
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at, servers.postgres() as postgres:
        folder = Path(at)
        root = [
            one for one in psutil.process_iter(["cmdline"]) if f"port={postgres.port}" in (one.info["cmdline"] or ())
        ][:1]
        own_queue, valkey = await queueing(folder / "queue", 10 * options.images)
        for preset in PRESETS:
            names = [variant.name for variant in load_presets()[preset].recipe.variants]
            (folder / preset).mkdir()
            own, theirs = await recording(postgres.create(f"bench_{preset}"), names, options.images, root)
            light, _ = await recording(sqlite_url(folder / preset), names, options.images, [])
            costs = {
                "decoding": await decoding(preset, photos, options.decodes),
                "statements": own,
                "postgres": theirs,
                "sqlite": light,
                "jobs": own_queue,
                "valkey": valkey,
            }
            lines.append({"preset": preset, "variants": len(names), **costs})
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300, help="images through the records; ten times as many jobs")
    parser.add_argument("--decodes", type=int, default=27)
    parser.add_argument("--cores", type=int, default=4, help="cores of one simulated worker")
    parser.add_argument("--database-cores", type=int, default=8)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    lines = asyncio.run(measure(options))
    for costs in lines:
        print(f"\n{costs['preset']}, {costs['variants']} variants: CPU ms an image")
        for name in ("decoding", "statements", "jobs", "postgres", "sqlite", "valkey"):
            print(f"  {name:12}{1000 * costs[name]:9.2f}")
        hours = 1e6 * (costs["decoding"] + costs["statements"] + costs["jobs"]) / 3600
        print(f"  a million images: {hours:.1f} core hours of workers")
        costs["core hours a million"] = hours
        costs["simulated"] = simulate(costs, options.cores, options.database_cores)
        for row in costs["simulated"]:
            many = f"{row['workers']:5} workers of {options.cores} cores"
            print(f"  {many}: {row['images/s']:8.0f}/s, limit: {row['limit']}")
    raw.keep("fleet", [raw.about() | {"images": options.images}, *lines])
    return 0


if __name__ == "__main__":
    sys.exit(main())
