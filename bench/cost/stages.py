"""What each stage of an image costs in CPU: one after the other, one image at a time, the real parts in this process.

Requests come in pieces as large as the server hands them over; statements run on SQLite, files go to a folder, jobs
through a private Valkey, pixels through a sandboxed decoder and, stage by stage, through the same functions here.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ["VIPS_CONCURRENCY"] = "1"  # as in a decoder

import load
import tree

from pixelmill.api import multipart, options
from pixelmill.imaging import Decoders, Inspected, Limits, Made, Result, decode, facts, metadata, plan
from pixelmill.imaging.finish import finish
from pixelmill.imaging.header import inspect
from pixelmill.imaging.make import apply, make
from pixelmill.pipeline.ahead import ahead
from pixelmill.pipeline.presence import new_id
from pixelmill.pipeline.work import AHEAD, PACE
from pixelmill.queue import Done, Foreign, Job, Limiter, Queue, Quota, Slots, Worker
from pixelmill.recipes import Recipe, load_presets, parse_recipe
from pixelmill.recipes.step import Size
from pixelmill.records import Database, events, intents, migrate, sqlite_url, work
from pixelmill.records.claims import Claim, MadeVariant, Report, Seen
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage, keys
from tests.queues import Private

#: Bytes of a body that the server hands over at a time (granian on loopback: 16 to 408 KiB, growing as it comes).
PIECE = 256 * 1024
LIMITS = Limits()
MOST_VARIANTS = Settings(_env_file=None).max_variants


class Clock:
    """CPU seconds of this process and all its threads, by part and stage; of a stage within another, not of both."""

    def __init__(self) -> None:
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)

    @contextmanager
    def __call__(self, part: str, stage: str) -> Iterator[None]:
        others, begun = sum(self.spent.values()), time.process_time()
        yield
        used = time.process_time() - begun
        self.spent[part, stage] += used - (sum(self.spent.values()) - others)


class Dropped:
    """Takes files and keeps nothing."""

    async def file(self, name: str) -> Dropped:
        return self

    async def write(self, data: bytes | memoryview) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Accepted:
    photo: Path
    batch_id: str
    image_id: str
    key: str
    sha256: str


def pixels(clock: Clock, data: bytes, recipe: Recipe) -> list[bytes]:
    """What ``make`` does of an image that does not move, each stage in memory before the next; the files."""
    with clock("decoders", "inspect"):
        header = inspect(data, LIMITS)
        assert header.image
        if "exif-data" in header.image.get_fields():
            metadata.shown(header.image.get("exif-data"))
        for variant in recipe.variants:
            plan.check(variant, header.size, 1, LIMITS)
        needs = {variant.name: plan.need(variant.steps, header.size) for variant in recipe.variants}
        size = plan.together([*needs.values()], header.size)
        grey = all(plan.luma_only(variant.steps) for variant in recipe.variants)
        luma = grey and not recipe.facts and decode.can_luma(header)
    with clock("decoders", "decode"):
        base = decode.decode(data, header, size, luma=luma, shared=plan.shared([*needs.values()]))
    if recipe.facts:
        with clock("decoders", "facts"):
            facts.facts(base.at(Size(facts.SIDE, facts.SIDE), False)[0])
    files = []
    for variant in recipe.variants:
        with clock("decoders", "process"):
            image = apply(base, variant, needs[variant.name], plan.Allowance(LIMITS)).copy_memory()
        with clock("decoders", "encode"):
            files.append(finish(image, variant.output, header).data)
    return files


class Bench:
    """The parts, and a clock for what they cost. ``fields`` are those of each request."""

    def __init__(self, folder: Path, pool: Decoders, valkey: Private, fields: dict[str, str]) -> None:
        self.clock = Clock()
        self.valkey = 0.0
        self._server = valkey
        self._pool = pool
        self._fields = fields
        self._presets = load_presets()
        self.database = Database(sqlite_url(folder))
        self._storage = LocalStorage(folder / "files")
        self.queue = Queue(valkey.url)
        self.limiter = Limiter(valkey.url, self.queue.name)

    async def run(self, photos: Sequence[Path]) -> None:
        """Take in an image of each photo, take its job, then work on it."""
        assert self._server.process
        its = [self._server.process.pid]
        before = tree.cpu_seconds(its)
        accepted = [await self._accept(photo) for photo in photos]
        await self._queued(len(accepted))
        self.valkey += tree.cpu_seconds(its) - before
        for one in accepted:
            await self._work(one)

    async def _accept(self, photo: Path) -> Accepted:
        clock, data, body = self.clock, photo.read_bytes(), load.body([photo], self._fields)
        kind, most, allowed = "multipart/form-data; boundary=frontier", 2 * len(body), frozenset(options.NAMES)
        with clock("API", "quotas"):
            quotas = Quota("requests", 60_000, 60), Quota("bytes", 10**12, 86_400)
            await self.limiter.take("address:127.0.0.1", (quotas[0], 1), (quotas[1], len(body)))
        incoming = _pieces(body)
        with clock("API", "parse"):
            given = await multipart.receive(
                _each(incoming), kind, Dropped(), field="images", allowed=allowed, most_bytes=most
            )
        with clock("API", "recipe"):
            recipe = options.read(given, self._presets, MOST_VARIANTS).recipe
            told = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
        parts = _pieces(data)
        with clock("API", "hash"):
            digest = hashlib.sha256()
            for part in parts:
                digest.update(part)
        batch_id, image_id = new_id(), new_id()
        one = Accepted(photo, batch_id, image_id, keys.original(batch_id, image_id), digest.hexdigest())
        with clock("API", "store original"):
            writer = await self._storage.create(one.key)
            for part in parts:
                await writer.write(part)
            await writer.commit()
        image = intents.NewImage(image_id, photo.name, one.key, len(data), one.sha256, "jpeg")
        names = [variant.name for variant in recipe.variants]
        with clock("API", "SQL accept"):
            await intents.begin(self.database, one.batch_id, "api")
            new = intents.NewBatch(one.batch_id, "", None, told, names, {}, None, 0, [image])
            assert await intents.accept(self.database, new)
        with clock("API", "queue add"):
            await self.queue.add([Job(image_id, 1)], ring=one.batch_id)
        return one

    async def _queued(self, count: int) -> None:
        """Take and acknowledge every job."""
        left = count

        async def handle(job: Job | Foreign) -> Done:
            nonlocal left
            left -= 1
            if not left:
                worker.stop()
            return Done({"imageId": job.id})

        worker = Worker(self.queue, handle, slots=Slots(3))
        with self.clock("worker", "queue take"):
            await worker.run()

    async def _work(self, one: Accepted) -> None:
        clock, token = self.clock, new_id()
        with clock("worker", "SQL claim"):
            held = await work.claim(self.database, one.image_id, 1, token=token, process_id="w", worker="w:1")
        assert isinstance(held, Claim)
        with clock("worker", "recipe"):
            recipe = parse_recipe(held.recipe)
        with clock("worker", "open original"):
            source = await self._storage.open(one.key, sha256=one.sha256)
        child = tree.cpu_seconds(self._pool.pids)
        with source, clock("worker", "sandbox"):
            parts = await self._sandboxed(source, recipe, held.missing)
        clock.spent["decoders", "sandbox"] += tree.cpu_seconds(self._pool.pids) - child
        for number, results in enumerate(parts):
            report = Report()
            for result in results:
                if isinstance(result, Inspected):
                    report.seen = Seen(result.format, result.width, result.height, result.facts)
                elif isinstance(result, Made):
                    key = keys.result(one.batch_id, one.image_id, token, result.variant, result.extension)
                    with clock("worker", "store results"):
                        await self._storage.put(key, result.data)
                    report.made.append(_recorded(result, key))
            with clock("worker", "SQL record"):
                if number < len(parts) - 1:
                    await work.record(self.database, held, report)
                else:
                    await work.complete(self.database, held, report)
        data = one.photo.read_bytes()
        files = pixels(clock, data, recipe)
        with clock("make", "at once"):
            whole = [result for result in make(data, recipe, held.missing, LIMITS) if isinstance(result, Made)]
        if files != [made.data for made in whole]:
            raise SystemExit(f"{one.photo.name}: the stages do not make what make() makes")

    async def _sandboxed(self, source: Any, recipe: Recipe, names: Sequence[str]) -> list[list[Result]]:
        """What a decoder gives, in the parts in which a worker would record it."""
        parts: list[list[Result]] = [[]]
        left, due = len(names), time.monotonic() + PACE
        async with aclosing(ahead(self._pool.make(source, recipe, names), AHEAD, PACE)) as several:
            async for results in several:
                parts[-1] += results
                made = sum(isinstance(result, Made) for result in parts[-1])
                if made < left and made and time.monotonic() >= due:
                    parts.append([])
                    left, due = left - made, time.monotonic() + PACE
        return parts


@asynccontextmanager
async def parts(folder: Path, fields: dict[str, str]) -> AsyncIterator[Bench]:
    """Everything started, tables made, and the writing of events timed apart from the statements around it."""
    async with AsyncExitStack() as stack:
        valkey = Private(folder / "queue")
        await valkey.start()
        stack.callback(valkey.kill)
        pool = await stack.enter_async_context(Decoders(1, LIMITS))
        bench = Bench(folder, pool, valkey, fields)
        for close in (bench.database.close, bench.queue.close, bench.limiter.close):
            stack.push_async_callback(close)
        await migrate(bench.database)
        append = events.append
        for module, part in ((intents, "API"), (events, "worker")):
            stack.enter_context(patch.object(module, "append", _timed(append, bench.clock, part)))
        yield bench


def _timed(append: Callable[..., Awaitable[None]], clock: Clock, part: str) -> Callable[..., Awaitable[None]]:
    async def timed(*given: Any) -> None:
        with clock(part, "events"):
            await append(*given)

    return timed


def _recorded(made: Made, key: str) -> MadeVariant:
    size = made.width, made.height, len(made.data)
    return MadeVariant(made.variant, key, made.format, made.content_type, *size, made.quality, made.seconds, made.facts)


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


async def _each(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
