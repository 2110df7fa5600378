"""Requests whose bytes are arriving, and the moment they become a batch."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pixelmill.records import fairness
from pixelmill.records.database import Database
from pixelmill.records.events import News, append
from pixelmill.records.models import BatchStatus, State
from pixelmill.records.tables import batches, images, intents, now, processes, variants
from pixelmill.records.transaction import Transaction
from pixelmill.records.waiting import Waiting

# Made once: putting a statement together costs more than running it.
_INTENT, _BATCH, _IMAGES, _VARIANTS = insert(intents), insert(batches), insert(images), insert(variants)
_TAKE = delete(intents).where(intents.c.batch_id == bindparam("its"), intents.c.state == "open")

#: What else a transaction does.
Also = Callable[[Transaction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class NewImage:
    """A file of a request. ``error_code`` is set when it was refused at the door; it then has no ``key``.

    ``source`` tells where a worker is to fetch it from; it then has no ``key`` yet.
    """

    id: str
    original_name: str
    key: str | None
    bytes: int
    sha256: str | None
    format: str | None
    error_code: str | None = None
    reason: str | None = None
    source: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A request to be accepted. ``variants`` are the recipe's names, in order.

    ``keep_*``: seconds that bytes are kept after the end of the batch; None: for ever. ``in_flight``: most images of
    its owner, those of this batch included; ``window``: those of this batch that the queue is told of at once;
    ``needs``: what a worker must understand.
    """

    id: str
    owner: str
    preset: str | None
    recipe: dict[str, Any]
    variants: Sequence[str]
    metadata: dict[str, Any]
    callback_url: str | None
    priority: int
    images: Sequence[NewImage]
    keep_originals: float | None = None
    keep_results: float | None = None
    in_flight: int | None = None
    window: int = sys.maxsize
    needs: int = 1


async def begin(db: Database, batch_id: str, process_id: str) -> None:
    """Note, before the first byte is stored, that bytes for ``batch_id`` may come."""
    async with db.write(few=True, lasting=False) as tx:
        await _open(tx, batch_id, process_id)


async def begin_once(db: Database, batch_id: str, process_id: str) -> bool:
    """The same for an id that others may begin too. False: one does now, or it is a batch already."""
    try:
        async with db.write() as tx:
            await _open(tx, batch_id, process_id)
            # Looked at after the insert, which waits for whoever turns the same intent into a batch.
            if (await tx.execute(select(batches.c.id).where(batches.c.id == batch_id))).one_or_none():
                await tx.rollback()
                return False
    except IntegrityError:
        return False
    return True


async def _open(tx: Transaction, batch_id: str, process_id: str) -> None:
    row = {"batch_id": batch_id, "process_id": process_id, "state": "open", "created_at": now()}
    await tx.execute(_INTENT, row)


async def accept(db: Database, new: NewBatch, *, also: Also | None = None) -> list[Waiting] | None:
    """Turn the intent into a batch, its images and variants and their first events, or do nothing.

    What the queue is to be told of. None when the intent is gone: the sweep took this request for dead, and its bytes
    may be gone too. ``also`` is done in the same transaction; when it raises, nothing is done. Raises
    ``quota-exceeded`` or ``too-many-files`` when the images do not fit beside those that their owner has in flight.
    """
    refused = [image for image in new.images if image.error_code]
    held = max(0, len(new.images) - new.window)
    at = now()
    news = [News("batch.accepted", data={"total": len(new.images)})]
    news += [
        News("image.failed", image.id, data={"errorCode": image.error_code, "reason": image.reason, "final": True})
        for image in refused
    ]
    async with db.write(few=True) as tx:
        taken = await tx.execute(_TAKE, {"its": new.id})
        if taken.rowcount != 1:
            return None
        if new.in_flight is not None:
            await fairness.fit(tx, new.owner, len(new.images) - len(refused), new.in_flight)
        # Without keys everybody is the same owner, of whom nothing can be said.
        ahead = await fairness.in_flight(tx, new.owner, fairness.STEPS[-1]) if new.owner else 0
        ranks = [fairness.rank(new.priority, ahead=ahead, position=position) for position in range(len(new.images))]
        batch = {
            "id": new.id,
            "owner": new.owner,
            "status": BatchStatus.WAITING,
            "seq": len(news),
            "total": len(new.images),
            "failed": len(refused),
            "preset": new.preset,
            "recipe": new.recipe,
            "metadata": new.metadata,
            "callback_url": new.callback_url,
            "priority": new.priority,
            "held": held,
            "needs": new.needs,
            "keep_originals": new.keep_originals,
            "keep_results": new.keep_results,
            "created_at": at,
        }
        await tx.execute(_BATCH, batch)
        await tx.execute(
            _IMAGES,
            [
                {
                    "id": image.id,
                    "batch_id": new.id,
                    "owner": new.owner,
                    "position": position,
                    "original_name": image.original_name,
                    "key": image.key,
                    "source": image.source,
                    "state": State.FAILED if image.error_code else State.WAITING,
                    "admitted": position < new.window,
                    "priority": ranks[position],
                    "bytes": image.bytes,
                    "sha256": image.sha256,
                    "format": image.format,
                    "error_code": image.error_code,
                    "failed_reason": image.reason,
                    "facts": {},
                    "timings": {},
                    "created_at": at,
                    "finished_at": at if image.error_code else None,
                }
                for position, image in enumerate(new.images)
            ],
        )
        await tx.execute(
            _VARIANTS,
            [
                {
                    "image_id": image.id,
                    "name": name,
                    "position": position,
                    "state": State.FAILED if image.error_code else State.WAITING,
                    "error_code": image.error_code,
                    "error": image.reason,
                    "facts": {},
                }
                for image in new.images
                for position, name in enumerate(new.variants)
            ],
        )
        await append(tx, new.id, 0, news)
        if also is not None:
            await also(tx)
    told = zip(new.images[: new.window], ranks, strict=False)
    return [Waiting(image.id, 1, place, 0) for image, place in told if not image.error_code]


async def give_up(db: Database, batch_id: str) -> bool:
    """Take the intent, so that it is never accepted: its bytes may be deleted. False: it is a batch already.

    So it is when the answer to :func:`accept` was lost with a connection.
    """
    async with db.write() as tx:
        taken = await tx.execute(update(intents).where(intents.c.batch_id == batch_id).values(state="swept"))
        if taken.rowcount == 1:
            return True
        return (await tx.execute(select(batches.c.id).where(batches.c.id == batch_id))).one_or_none() is None


async def forget(db: Database, batch_id: str) -> None:
    """Drop the intent; its bytes are deleted already."""
    async with db.write() as tx:
        await tx.execute(delete(intents).where(intents.c.batch_id == batch_id))


async def orphans(db: Database, before: datetime, limit: int = 100) -> list[str]:
    """Take the intents whose process is no longer known, those begun before ``before`` (no request takes so long), and
    those once taken and not yet forgotten, to be swept.

    From then on :func:`accept` refuses them: accept and sweep cannot both win.
    """
    async with db.write() as tx:
        dead = (
            select(intents.c.batch_id)
            .outerjoin(processes, processes.c.id == intents.c.process_id)
            .where(or_(processes.c.id.is_(None), intents.c.state == "swept", intents.c.created_at < before))
            .limit(limit)
        )
        ids = [row.batch_id for row in await tx.execute(dead)]
        if ids:
            await tx.execute(
                update(intents).where(intents.c.batch_id.in_(ids), intents.c.state == "open").values(state="swept")
            )
            taken = select(intents.c.batch_id).where(intents.c.batch_id.in_(ids), intents.c.state == "swept")
            ids = [row.batch_id for row in await tx.execute(taken)]
    return ids
