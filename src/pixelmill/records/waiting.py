"""What the reconciler looks for: images that wait, and what dead tries left behind. Bounded pages, on indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from pixelmill.records.database import Database
from pixelmill.records.known import lent_by
from pixelmill.records.models import BatchStatus, State
from pixelmill.records.tables import attempts, batches, images, now, variants
from pixelmill.records.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image that the queue should know. ``delay``: seconds until it is due."""

    image_id: str
    generation: int
    priority: int
    delay: float


async def page(db: Database, after: str = "", limit: int = 500) -> list[Waiting]:
    """Admitted images that wait, in the order of their ids, following ``after``."""
    query = (
        select(images.c.id, images.c.generation, images.c.priority, images.c.not_before)
        .where(images.c.state == State.WAITING, images.c.admitted.is_(True), images.c.id > after)
        .order_by(images.c.id)
        .limit(limit)
    )
    at = now()
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    return [Waiting(row.id, row.generation, row.priority, _seconds(row.not_before, at)) for row in rows]


async def admit(db: Database, window: int, after: str = "", limit: int = 20) -> tuple[list[Waiting], str]:
    """Let the queue know of more images of batches that have some held back; and where to go on.

    Of each batch at most ``window`` images are in the queue or at work at a time: so batches take turns however large
    they are, and the queue's memory has a bound. Up to ``limit`` batches, in the order of their ids.
    """
    going = batches.c.status.in_((BatchStatus.WAITING, BatchStatus.PROCESSING))
    by_id = batches.c.id.concat("")  # no index has this: with one of ids, all the batches there are would be looked at
    query = select(batches.c.id).where(batches.c.held > 0, going, by_id > after).order_by(by_id)
    async with db.read() as connection:
        ids = [row.id for row in await connection.execute(query.limit(limit))]
    found: list[Waiting] = []
    for batch_id in ids:
        async with db.write() as tx:
            found += await _admit(tx, batch_id, window)
    return found, ids[-1] if len(ids) == limit else ""


async def _admit(tx: Transaction, batch_id: str, window: int) -> list[Waiting]:
    row = (await tx.execute(select(batches).where(batches.c.id == batch_id).with_for_update())).one_or_none()
    if row is None or not row.held:
        return []
    known = row.total - row.held
    more = min(row.held, window - (known - row.completed - row.failed - row.canceled))
    if more <= 0:
        return []
    # Images are admitted in the order of their positions.
    its = (images.c.batch_id == batch_id, images.c.position >= known, images.c.position < known + more)
    await tx.execute(update(images).where(*its).values(admitted=True))
    await tx.execute(update(batches).where(batches.c.id == batch_id).values(held=row.held - more))
    waits = select(images.c.id, images.c.generation, images.c.priority).where(*its, images.c.state == State.WAITING)
    found = await tx.execute(waits.order_by(images.c.position))
    return [Waiting(row.id, row.generation, row.priority, 0) for row in found]


async def count(db: Database, most: int) -> int:
    """How many images wait, admitted or not; counted up to ``most``."""
    some = select(images.c.id).where(images.c.state == State.WAITING).limit(most).subquery()
    async with db.read() as connection:
        return await connection.scalar(select(func.count()).select_from(some)) or 0


async def renew(db: Database, image_id: str, generation: int, *, at_once: bool = False) -> int | None:
    """Raise the generation of an image that still waits: the queue holds the old id as finished, or delayed for too
    long, and would ignore it. ``at_once``: it need not wait for its time any more."""
    change: dict[str, object] = {"generation": generation + 1} | ({"not_before": None} if at_once else {})
    async with db.write() as tx:
        done = await tx.execute(
            update(images)
            .where(images.c.id == image_id, images.c.state == State.WAITING, images.c.generation == generation)
            .values(change)
        )
    return generation + 1 if done.rowcount == 1 else None


@dataclass(frozen=True, slots=True)
class Leftover:
    """A try that ended without finishing its image. ``keep`` are keys under its prefixes that are in use.

    ``fetches``: the image's original comes from elsewhere, so that the try may have stored one.
    """

    token: str
    image_id: str
    batch_id: str
    keep: frozenset[str]
    fetches: bool = False


async def leftovers(db: Database, before: datetime, limit: int = 100) -> list[Leftover]:
    """Tries over since before ``before`` whose prefix may hold bytes that nobody refers to."""
    query = (
        select(attempts.c.token, attempts.c.image_id, attempts.c.batch_id)
        .where(attempts.c.swept.is_(False), attempts.c.ended_at < before)
        .order_by(attempts.c.ended_at)
        .limit(limit)
    )
    async with db.read() as connection:
        found = (await connection.execute(query)).all()
        used = select(variants.c.image_id, variants.c.key).where(
            variants.c.image_id.in_({row.image_id for row in found}), variants.c.key.is_not(None)
        )
        keys: dict[str, set[str]] = {}
        fetches = set()
        its = select(images.c.id, images.c.key, images.c.source).where(images.c.id.in_({row.image_id for row in found}))
        for image in await connection.execute(its):
            if image.source:
                fetches.add(image.id)
                keys.setdefault(image.id, set()).add(image.key or "")
        for row in await connection.execute(used):
            keys.setdefault(row.image_id, set()).add(row.key)
        for row in await connection.execute(lent_by({row.image_id for row in found})):
            keys.setdefault(row.home_image, set()).add(row.key)
    return [
        Leftover(row.token, row.image_id, row.batch_id, frozenset(keys.get(row.image_id, ())), row.image_id in fetches)
        for row in found
    ]


async def swept(db: Database, tokens: list[str]) -> None:
    async with db.write() as tx:
        await tx.execute(update(attempts).where(attempts.c.token.in_(tokens)).values(swept=True))


def _seconds(due: datetime | None, at: datetime) -> float:
    return max(0.0, (due - at).total_seconds()) if due else 0.0
