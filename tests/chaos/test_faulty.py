"""Every call to storage, records and queue fails in turn, in every way: each accepted image still ends, once, and
afterwards not a byte and not a row is left."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Limits
from pixelmill.pipeline import Deliverer, Intake, Millhand, Presence, Reconciler
from pixelmill.pipeline.ending import cancel
from pixelmill.queue import Foreign, Job, Queue, Slots, Worker
from pixelmill.recipes import parse_recipe
from pixelmill.records import Database, migrate, sqlite_url
from pixelmill.records.tables import batches
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage
from tests import pictures
from tests.chaos import audit
from tests.chaos.faulty import KINDS, Faults, FaultyDatabase, FaultyQueue, FaultyStorage
from tests.receiver import Receiver, receiving

RECIPE = parse_recipe(
    {
        "variants": [
            {"name": name, "steps": [{"op": "resize", "width": width}], "output": {"format": "jpeg"}}
            for name, width in (("a", 60), ("b", 30))
        ]
    }
)
PATIENCE = 180.0
AT_ONCE = 4
#: Each site fails in every way, and not only in one that is drawn from its name.
ALL = os.environ.get("PIXELMILL_TEST_FAULTS") == "all"


@dataclass
class Place:
    """What all stories share."""

    folder: Path
    valkey: str
    decoders: Decoders
    receiver: Receiver
    numbers: Any


@pytest.fixture
async def place(tmp_path: Path, valkey_url: str) -> AsyncIterator[Place]:
    db = Database(sqlite_url(tmp_path))
    await migrate(db)
    await db.close()
    async with Decoders(2, Limits(seconds=60)) as decoders, receiving() as receiver:
        yield Place(tmp_path, valkey_url, decoders, receiver, itertools.count())


async def story(place: Place, faults: Faults) -> list[str]:
    """A service of one process with one fault in it, from a request to the end of its retention: what went wrong."""
    folder = place.folder / f"story-{next(place.numbers)}"
    folder.mkdir()
    shutil.copy(place.folder / "pixelmill.db", folder)
    settings = Settings(
        _env_file=None,
        data_dir=folder,
        retry_seconds=0.05,
        reconcile_seconds=0.1,
        lease_seconds=2,
        image_seconds=60,
        upload_seconds=1,
        allow_hosts=("127.0.0.1",),
    )
    plain, plain_storage = Database(sqlite_url(folder)), LocalStorage(folder / "files")
    db = FaultyDatabase(sqlite_url(folder), faults)
    storage = FaultyStorage(folder / "files", faults)
    # The loop that takes jobs has a queue without faults: tests/chaos/queue kills its server instead.
    queue, taking = FaultyQueue(place.valkey, folder.name, faults), Queue(place.valkey, folder.name)
    broken: list[str] = []
    async with AsyncExitStack() as stack:
        for one in (plain, db, queue, taking):
            stack.push_async_callback(one.close)
        presence = await again(lambda: arrive(db, settings))
        intake = Intake(db, storage, queue, settings, presence=presence)
        stack.push_async_callback(intake.close)
        slots = Slots(2)
        millhand = Millhand(db, storage, queue, place.decoders, settings, presence=presence, aside=slots.aside)

        async def handle(job: Job | Foreign) -> Any:
            assert isinstance(job, Job)
            return await millhand(job)

        worker = Worker(taking, handle, slots=slots)
        reconciler = Reconciler(db, storage, queue, settings, presence=presence)
        deliverer = Deliverer(db, settings, presence=presence)
        chores = [worker.run(), reconciler.run(), deliverer.run(), presence.beat()]
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            accepted = {}
            attempts = itertools.count()
            for wanted in ("work", "cancel"):
                number, batch_id = await again(lambda: send(intake, next(attempts), place.receiver.url))
                accepted[number] = batch_id
                if wanted == "cancel":
                    await again(lambda batch_id=batch_id: cancel(db, queue, batch_id))  # type: ignore[misc]
            broken += await _look(plain, plain_storage, accepted, range(next(attempts)), place.receiver)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return broken


async def _look(
    db: Database, storage: LocalStorage, accepted: dict[int, str], sent: range, receiver: Receiver
) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE):
            while await audit.unfinished(db) or await audit.untold(db):
                await asyncio.sleep(0.05)
    except TimeoutError:
        return [f"not over: {await audit.unfinished(db)}, {await audit.untold(db)} to tell"]
    ids = {row.id for row in await audit.rows(db, batches.c.id)}
    calls = [(json.loads(call.body)["data"]["batchId"], call.headers["webhook-id"]) for call in receiver.calls]
    told = Counter(call for call in calls if call[0] in ids)
    broken: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):  # what a broken request left is swept, but not at once
            while broken := (await audit.check(db, storage, accepted=accepted, sent=sent, told=told)).broken:
                await asyncio.sleep(0.2)
    try:
        async with asyncio.timeout(PATIENCE):
            while await audit.left_over(db, storage) != (0, 0):
                await audit.let_time_pass(db)  # again: a try that was lost may have ended only now
                await asyncio.sleep(0.2)
    except TimeoutError:
        broken.append(f"left after retention (batches, objects): {await audit.left_over(db, storage)}")
    return broken


async def arrive(db: Database, settings: Settings) -> Presence:
    presence = Presence(db, settings, "worker")
    await presence.enter()
    return presence


async def send(intake: Intake, number: int, callback: str) -> tuple[int, str]:
    acceptance = await intake.begin()
    try:
        file = await acceptance.file("photo.jpg")
        await file.write(pictures.jpeg(80, 60))
        await file.close()
        accepted = await acceptance.commit(recipe=RECIPE, metadata={"number": number}, callback_url=callback)
    except BaseException:
        await acceptance.abandon()
        raise
    return number, accepted.batch_id


async def again(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """As a client or a service manager does."""
    for _ in range(5):
        with suppress(PixelmillError, OSError):
            return await call()
    return await call()


async def test_every_call_may_fail(place: Place) -> None:
    calm = Faults()
    assert await story(place, calm) == []
    ways = {site: KINDS if ALL else random.Random(site).sample(KINDS, 1) for site in calm.seen}
    rooms = asyncio.Semaphore(AT_ONCE)
    found: dict[str, list[str]] = {}
    struck = 0

    async def one(site: str, kind: str) -> None:
        nonlocal struck
        faults = Faults(site, kind)
        async with rooms:
            try:
                broken = await story(place, faults)
            except (PixelmillError, OSError) as error:
                broken = [f"given up: {error}"]
            if broken:
                found[f"{kind}: {site}"] = broken
        struck += faults.struck

    await asyncio.gather(*(one(site, kind) for site, kinds in ways.items() for kind in kinds))
    assert found == {}
    assert len(ways) > 30 and struck > 0.9 * sum(map(len, ways.values())), (struck, len(ways))
    if ALL:
        print(f"{len(ways)} call sites, {struck} faults, every image ended")
