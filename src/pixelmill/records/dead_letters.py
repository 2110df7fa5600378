"""Dead letters: images that failed for good while their bytes, or where they come from, are still known.

Each can be looked at, replayed, or purged. What was refused at the door was never taken, so it is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, cast, null, or_, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import audit, known
from pixelmill.records import batches as batch_records
from pixelmill.records.database import Database
from pixelmill.records.events import News, log
from pixelmill.records.images import HIDDEN, to_image
from pixelmill.records.keys import By
from pixelmill.records.models import Batch, Image, State
from pixelmill.records.tables import borrowed, images, variants
from pixelmill.records.transaction import Transaction

_COLUMNS = [column for column in images.c if column.name in Image.__dataclass_fields__]
#: A row without a source may hold SQL's null or JSON's.
_KEPT = or_(images.c.key.is_not(None), and_(images.c.source.is_not(null()), cast(images.c.source, Text) != "null"))


def _which(owner: str | None, code: str | None, batch_id: str | None, cursor: str | None) -> ColumnElement[bool]:
    terms = [images.c.state == State.FAILED, images.c.purged.is_(False), _KEPT, ~HIDDEN]
    if owner is not None:
        terms.append(images.c.owner == owner)
    if code is not None:
        terms.append(images.c.error_code == code)
    if batch_id is not None:
        terms.append(images.c.batch_id == batch_id)
    if cursor is not None:
        terms.append(images.c.id < cursor)
    return and_(*terms)


async def page(
    db: Database,
    *,
    owner: str | None,
    code: str | None = None,
    batch_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Image], str | None]:
    """Newest first, without their variants, and the cursor of the next page. ``owner`` None: of everybody."""
    query = select(*_COLUMNS).where(_which(owner, code, batch_id, cursor)).order_by(images.c.id.desc()).limit(limit + 1)
    async with db.read() as connection:
        found = [to_image(row) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def purge(db: Database, image_id: str, by: By, delete: Callable[[Image, frozenset[str]], Awaitable[None]]) -> str:
    """Have ``delete`` delete its bytes, but for the keys that others use, and note that they are gone.

    Returns the id of its batch, which counts it as failed as before. Raises ``not-found``, or ``conflict`` for an
    image that is no dead letter.

    The batch stays locked meanwhile, so that nobody replays what is being deleted. A process that dies in between
    leaves a dead letter that can be purged again, and whose results nobody borrows: they were hidden before.
    """
    async with db.write() as tx:
        await _lock(tx, image_id)
        await known.hide(tx, variants.c.image_id == image_id)
    async with db.write() as tx:
        batch, row = await _lock(tx, image_id)
        lent = await tx.execute(known.lent_by([image_id]))
        await delete(to_image(row), frozenset(one.key for one in lent))
        await known.let_go(tx, borrowed.c.image_id == image_id)
        await tx.execute(update(images).where(images.c.id == image_id).values(key=None, source=null(), purged=True))
        await tx.execute(update(variants).where(variants.c.image_id == image_id).values(key=None))
        # Every change of a batch is an event: its ETag is the number of the newest one.
        await log(tx, batch.id, batch.seq, [News("image.purged", image_id)])
        await audit.note(
            tx,
            "dead-letter.purge",
            owner=by.owner,
            key_id=by.key_id,
            target=image_id,
            data={"batchId": batch.id, "errorCode": row.error_code},
        )
    return batch.id


async def _lock(tx: Transaction, image_id: str) -> tuple[Batch, Row[Any]]:
    """Its batch, locked, and the row of a dead letter. Raises ``not-found`` or ``conflict``."""
    its = (await tx.execute(select(images.c.batch_id).where(images.c.id == image_id))).one_or_none()
    batch = await batch_records.lock(tx, its.batch_id) if its else None
    if not batch:
        raise PixelmillError("not-found", "There is no such image.")
    row = (await tx.execute(select(*_COLUMNS).where(images.c.id == image_id))).one()
    if row.state != State.FAILED:
        raise PixelmillError("conflict", f"Only a failed image can be purged; this one is {row.state}.")
    if (await tx.execute(select(images.c.id).where(images.c.id == image_id, _KEPT))).one_or_none() is None:
        raise PixelmillError("conflict", "Nothing of it is kept that could be purged.")
    return batch, row
