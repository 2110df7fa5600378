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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Limits
from pixelmill.pipeline import Deliverer, Intake, Millhand, Presence, Reconciler, Uploads
from pixelmill.pipeline.ending import cancel, replay
from pixelmill.pipeline.presence import new_id
from pixelmill.queue import Foreign, Job, Queue, Slots, Worker
from pixelmill.recipes import parse_recipe
from pixelmill.records import Database, migrate, sqlite_url, uploads
from pixelmill.records.models import Upload
from pixelmill.records.tables import batches, images
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage, keys
from tests import pictures
from tests.chaos import audit
from tests.chaos.faulty import KINDS, Faults, FaultyDatabase, FaultyQueue, FaultyStorage
from tests.chaos.run import RESULTS, commit
from tests.receiver import Receiver, receiving
from tests.rows import an_upload

RECIPE = parse_recipe(
    {
        "variants": [
            {"name": name, "steps": [{"op": "resize", "width": width}], "output": {"format": "jpeg"}}
            for name, width in (("a", 60), ("b", 30))
        ]
    }
)
PHOTO = pictures.jpeg(80, 60)
#: It fails for good, and is replayed in vain.
DAMAGED = PHOTO[:300]
PATIENCE = 180.0
AT_ONCE = 4
#: Each site fails in every way, and not only in one that is drawn from its name; the counts are written down.
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
        receiver.files["/far.jpg"] = PHOTO
        yield Place(tmp_path, valkey_url, decoders, receiver, itertools.count())


async def story(place: Place, faults: Faults) -> list[str]:
    """A service of one process with one fault in it, from a request to the end of its retention: what went wrong.

    One image comes with its request, another is fetched from a URL, and three came before, one by each kind of upload;
    a damaged one is replayed. A second request, with one image, is canceled.
    """
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
        upload_expire_seconds=600,
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
        client = Client(intake, Uploads(db, storage, settings, presence), plain, plain_storage, place.receiver)
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
            for wanted in ("replay", "cancel"):
                everything = wanted == "replay"
                batch_id = await again(lambda everything=everything: client.send(everything))  # type: ignore[misc]
                if wanted == "cancel":
                    await again(lambda batch_id=batch_id: cancel(db, queue, batch_id))  # type: ignore[misc]
                else:
                    image_id = await client.failed(batch_id)
                    await again(lambda image_id=image_id: replayed(db, queue, image_id))  # type: ignore[misc]
            broken += await _look(client)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return broken


@dataclass
class Client:
    """Sends requests, and sends what failed again; ``plain`` and ``plain_storage`` never fail."""

    intake: Intake
    uploads: Uploads
    plain: Database
    plain_storage: LocalStorage
    receiver: Receiver
    #: Files of each request by its number, and the batches of those that were accepted.
    sent: dict[int, int] = field(default_factory=dict)
    accepted: dict[int, str] = field(default_factory=dict)

    async def send(self, everything: bool) -> str:
        """One request, with an image of every kind or one photo; its batch."""
        number = len(self.sent)
        ready = [await self.upload(kind) for kind in ("put", "tus", "direct")] if everything else []
        acceptance = await self.intake.begin()
        try:
            for name, data in (("photo.jpg", PHOTO), ("damaged.jpg", DAMAGED))[: 1 + everything]:
                file = await acceptance.file(name)
                await file.write(data)
                await file.close()
            if everything:
                acceptance.fetch("far.jpg", {"url": self.receiver.url.replace("/hook", "/far.jpg")})
            for upload in ready:
                acceptance.take(upload)
            self.sent[number] = acceptance.total
            metadata = {"number": number}
            accepted = await acceptance.commit(recipe=RECIPE, metadata=metadata, callback_url=self.receiver.url)
        except BaseException:
            await acceptance.abandon()
            raise
        self.accepted[number] = accepted.batch_id
        return accepted.batch_id

    async def upload(self, kind: str) -> Upload:
        """A photo that comes before its request: to a ticket, in two pieces by tus, or into the storage itself."""
        upload_id = new_id()
        key = keys.direct(upload_id) if kind == "direct" else ""
        await uploads.create(self.plain, [an_upload(upload_id, owner="", kind=kind, key=key, length=len(PHOTO))])
        if kind == "direct":
            await self.plain_storage.put(key, PHOTO)

        async def look() -> Upload:
            found = await uploads.find(self.plain, upload_id)
            assert found
            return found

        async def go_on() -> None:
            for end in (len(PHOTO) // 2, len(PHOTO)):
                found = await look()
                if kind == "tus" and found.offset < end:
                    await self.uploads.patch(upload_id, found.offset, _body(PHOTO[found.offset : end]))
            if kind == "put" and (await look()).state == "open":
                await self.uploads.put(upload_id, _body(PHOTO), None, len(PHOTO))

        async def ready() -> Upload:
            return await self.uploads.ready(await look())

        await again(go_on)
        one: Upload = await again(ready)
        return one

    async def failed(self, batch_id: str) -> str:
        """The damaged image of a batch, once it has failed."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for row in await audit.rows(self.plain, images.c.id, images.c.batch_id, images.c.state):
                    if row.batch_id == batch_id and row.state == "failed":
                        return str(row.id)
                await asyncio.sleep(0.05)


async def _body(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def replayed(db: Database, queue: Queue, image_id: str) -> None:
    try:
        await replay(db, queue, image_id)
    except PixelmillError as error:
        if error.code != "conflict":  # it is, and only the answer was lost
            raise


async def _look(client: Client) -> list[str]:
    db, storage, receiver = client.plain, client.plain_storage, client.receiver
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
            while broken := (
                await audit.check(db, storage, accepted=client.accepted, sent=client.sent, told=told)
            ).broken:
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


async def again(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """As a client or a service manager does."""
    for _ in range(5):
        with suppress(PixelmillError, OSError):
            return await call()
    return await call()


async def test_every_call_may_fail(place: Place) -> None:
    begun = commit()
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
    faults = sum(map(len, ways.values()))
    assert len(ways) > 50 and struck > 0.9 * faults, (struck, len(ways))
    if ALL:
        sums = {"commit": begun, "places": len(ways), "faults": faults, "struck": struck, "broken": found}
        operations = Counter(site.partition(" in ")[0] for site in ways)
        told = {**sums, "places by operation": dict(sorted(operations.items())), "each place": sorted(ways)}
        (RESULTS / "faulty.json").write_text(json.dumps(told, indent=1) + "\n")
