"""What must hold afterwards, read from the record, the storage and the event log, past the service."""

from __future__ import annotations

import asyncio
import io
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from PIL import Image
from sqlalchemy import Row, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import Database
from pixelmill.records.tables import attempts, batches, deliveries, events, images, now, uploads, variants
from pixelmill.storage import Storage
from tests.chaos.invariants import OVER

ENDS = ("batch.completed", "batch.canceled")
#: Each time that one of these happens to a batch its webhook is told.
TOLD = (*ENDS, "batch.reopened")


@dataclass
class Findings:
    """``broken``: each promise that was not kept, in a sentence. ``sums``: what there was, by name."""

    broken: list[str] = field(default_factory=list)
    sums: dict[str, Any] = field(default_factory=dict)

    def expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.broken.append(sentence)


async def rows(db: Database, *columns: Any) -> list[Row[Any]]:
    async with db.read() as connection:
        return list(await connection.execute(select(*columns)))


async def unfinished(db: Database) -> list[str]:
    """Images that have not ended, with their state."""
    return [f"{row.id} {row.state}" for row in await rows(db, images.c.id, images.c.state) if row.state not in OVER]


async def untold(db: Database) -> int:
    return sum(row.state in ("due", "sending") for row in await rows(db, deliveries.c.state))


async def left_over(db: Database, storage: Storage) -> tuple[int, int]:
    """Batches in the record, and objects in the storage."""
    return len(await rows(db, batches.c.id)), len([stat async for stat in storage.list("")])


async def tell_now(db: Database) -> None:
    """Webhook messages that wait for their next try need not wait any more."""
    async with db.write() as tx:
        await tx.execute(update(deliveries).where(deliveries.c.state == "due").values(due_at=now()))


async def let_time_pass(db: Database) -> None:
    """What is kept has been kept long enough, and who might write late has had the time for it."""
    long_ago = now() - timedelta(days=365)
    async with db.write() as tx:
        await tx.execute(update(attempts).where(attempts.c.ended_at.is_not(None)).values(ended_at=long_ago))
        await tx.execute(update(uploads).values(expires_at=long_ago))
        for until in (batches.c.originals_until, batches.c.results_until):
            await tx.execute(update(batches).where(until.is_not(None)).values({until: long_ago}))


async def emptied(db: Database, storage: Storage, patience: float) -> list[str]:
    """Wait until retention has left nothing; what is broken when nothing went for ``patience`` seconds."""
    left, last = await left_over(db, storage), time.monotonic()
    while left != (0, 0):
        if time.monotonic() - last > patience:
            return [f"left after retention (batches, objects): {left}"]
        await asyncio.sleep(0.5)
        with suppress(PixelmillError):  # the server is coming back
            before, left = left, await left_over(db, storage)
            if left < before:
                last = time.monotonic()
    return []


async def check(
    db: Database,
    storage: Storage,
    *,
    accepted: Mapping[int, str],
    sent: Mapping[int, int],
    told: Counter[tuple[str, str]],
) -> Findings:
    """``accepted``: requests by number that were answered with 202, and their batches.

    ``sent``: files of every request by its number, answered or not.

    ``told``: how often the receiver of webhooks got each (batch, message id).
    """
    found = Findings()
    its_batches = {row.id: row for row in await rows(db, batches)}
    its_images: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await rows(db, images):
        its_images[row.batch_id].append(row)
    its_variants: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await rows(db, variants):
        its_variants[row.image_id].append(row)
    its_events: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await rows(db, events.c.batch_id, events.c.seq, events.c.event, events.c.job_id, events.c.variant):
        its_events[row.batch_id].append(row)

    for number, batch_id in accepted.items():
        found.expect(batch_id in its_batches, f"request {number} was accepted, and its batch {batch_id} is lost")
    numbers = Counter(row.metadata["number"] for row in its_batches.values())
    found.expect(set(numbers) <= set(sent), f"batches that nobody sent: {set(numbers) - set(sent)}")
    twice = [number for number, count in numbers.items() if count > 1]
    found.expect(not twice, f"requests that were done twice, in spite of their key: {twice}")

    for batch in its_batches.values():
        files = sent.get(batch.metadata["number"], 0)
        found.expect(batch.total == files, f"batch {batch.id} has {batch.total} images of {files} files")
        _batch(found, batch, its_images[batch.id], its_variants, sorted(its_events[batch.id], key=lambda e: e.seq))
    owners = {*its_batches, *(row.id for row in await rows(db, uploads.c.id))}
    await _bytes(found, storage, owners, its_images, its_variants)
    calls = Counter(row.batch_id for log in its_events.values() for row in log if row.event in TOLD)
    _webhooks(found, {batch_id: calls[batch_id] for batch_id in its_batches}, await rows(db, deliveries), told)

    everything = [image for of_batch in its_images.values() for image in of_batch]
    states = Counter(image.state for image in everything)
    found.expect(
        len(everything) == sum(states[state] for state in OVER),
        f"{len(everything)} images were accepted, and their ends are {dict(states)}",
    )
    tries = await rows(db, attempts.c.outcome)
    found.sums |= {
        "batches": len(its_batches),
        "images": len(everything),
        **{state: states[state] for state in sorted(OVER)},
        "failed by code": dict(Counter(image.error_code for image in everything if image.state == "failed")),
        "variants": sum(one.state == "completed" for of_image in its_variants.values() for one in of_image),
        "events": sum(len(one) for one in its_events.values()),
        "tries": dict(Counter(row.outcome or "open" for row in tries)),
    }
    return found


def _batch(
    found: Findings,
    batch: Row[Any],
    its_images: list[Row[Any]],
    its_variants: dict[str, list[Row[Any]]],
    log: list[Row[Any]],
) -> None:
    states = Counter(image.state for image in its_images)
    counters = {name: getattr(batch, name) for name in ("total", "active", *OVER)}
    rows = {"total": len(its_images), "active": states["active"], **{state: states[state] for state in OVER}}
    found.expect(counters == rows, f"batch {batch.id}: counters {counters}, rows {rows}")
    found.expect(batch.finished_at is not None, f"batch {batch.id} is {batch.status}")
    found.expect([row.seq for row in log] == [*range(1, batch.seq + 1)], f"batch {batch.id}: its log has gaps")
    told = Counter((row.event, row.job_id, row.variant) for row in log)
    # Once, and once more for each time that a replay opened it, or did the image, again.
    ends = sum(told[end, None, None] for end in ENDS)
    found.expect(ends == 1 + told["batch.reopened", None, None], f"batch {batch.id} ended {ends} times")
    for image in its_images:
        ends = sum(told[f"image.{state}", image.id, None] for state in OVER)
        found.expect(ends == 1 + told["image.replayed", image.id, None], f"image {image.id} ended {ends} times")
        found.expect(told[f"image.{image.state}", image.id, None] > 0, f"image {image.id}: another end was told")
        found.expect((image.state == "failed") == bool(image.error_code), f"image {image.id}: {image.error_code}")
        for one in its_variants[image.id]:
            name = f"variant {one.name} of image {image.id}"
            found.expect(one.state in OVER, f"{name} is {one.state}")
            if image.state == "completed":
                found.expect(one.state == "completed", f"{name} is {one.state}, and its image is completed")
            times = told["variant.completed", image.id, one.name]
            found.expect(times == (one.state == "completed"), f"{name} is {one.state}, and was told {times} times")


async def _bytes(
    found: Findings,
    storage: Storage,
    owners: Collection[str],
    its_images: dict[str, list[Row[Any]]],
    its_variants: dict[str, list[Row[Any]]],
) -> None:
    """Each visible variant is whole, and is what the record says; nothing is stored that no row refers to."""
    stored = {stat.key: stat.bytes async for stat in storage.list("")}
    known = set()
    for image in (image for of_batch in its_images.values() for image in of_batch):
        if image.key:
            known.add(image.key)
            found.expect(stored.get(image.key) == image.bytes, f"the original of image {image.id} is not whole")
        for one in its_variants[image.id]:
            if one.key:
                known.add(one.key)
                name = f"variant {one.name} of image {image.id}"
                found.expect(stored.get(one.key) == one.bytes, f"{name} is half-written or lost")
                with await storage.open(one.key) as file:
                    size = await asyncio.to_thread(_size, file.read())
                found.expect(size == (one.width, one.height), f"{name} cannot be opened: {size}")
    found.sums["objects"] = len(stored)
    found.sums["bytes"] = sum(stored.values())
    # Tries that died leave bytes until the sweep; those of requests that came to nothing are of no batch and no
    # upload.
    loose = [key for key in stored if key not in known]
    found.sums["objects not yet swept"] = len(loose)
    strangers = [key for key in loose if key.split("/")[1] not in owners]
    found.expect(not strangers, f"bytes of requests that came to nothing: {strangers}")


def _size(data: bytes) -> tuple[int, int] | str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.size
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _webhooks(found: Findings, calls: Mapping[str, int], rows: list[Row[Any]], told: Counter[tuple[str, str]]) -> None:
    """``calls``: how often each batch's webhook is to be called."""
    messages = Counter(row.batch_id for row in rows)
    for batch_id, times in calls.items():
        found.expect(messages[batch_id] == times, f"batch {batch_id} has {messages[batch_id]} messages to its webhook")
    for row in rows:
        found.expect(row.state == "delivered", f"webhook message {row.id} of batch {row.batch_id} is {row.state}")
        received = told[row.batch_id, f"msg_{row.id}"]
        found.expect(received >= 1, f"webhook message {row.id} of batch {row.batch_id} never came")
    known = {(row.batch_id, f"msg_{row.id}") for row in rows}
    found.expect(set(told) <= known, f"messages that nobody wrote: {set(told) - known}")
    found.sums["webhooks"] = len(rows)
    found.sums["webhooks that came twice"] = sum(count > 1 for count in told.values())
