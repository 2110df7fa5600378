"""Images, their variants and their tries: reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pixelmill.records.database import Database
from pixelmill.records.models import Attempt, Image, State, Variant
from pixelmill.records.tables import attempts as attempts_table
from pixelmill.records.tables import batches, images, variants

IMAGE = [column for column in images.c if column.name in Image.__dataclass_fields__]
_VARIANT = [column for column in variants.c if column.name in Variant.__dataclass_fields__]
#: Of a batch that is on its way out: the rows go last, and nothing shows them.
HIDDEN = select(batches.c.id).where(batches.c.id == images.c.batch_id, batches.c.deleting.is_(True)).exists()
_ATTEMPT = [column for column in attempts_table.c if column.name in Attempt.__dataclass_fields__]


def to_image(row: Row[Any], its_variants: Iterable[Variant] = ()) -> Image:
    values = {column.name: getattr(row, column.name) for column in IMAGE}
    return Image(**values | {"state": State(row.state)}, variants=tuple(its_variants))


def to_variant(row: Row[Any]) -> Variant:
    values = {column.name: getattr(row, column.name) for column in _VARIANT}
    return Variant(**values | {"state": State(row.state)})


async def with_variants(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Image]:
    """Images with their variants, in one query more, however many images."""
    of: dict[str, list[Variant]] = {row.id: [] for row in rows}
    if of:
        query = select(*_VARIANT).where(variants.c.image_id.in_(of)).order_by(variants.c.image_id, variants.c.position)
        for row in await connection.execute(query):
            of[row.image_id].append(to_variant(row))
    return [to_image(row, of[row.id]) for row in rows]


async def find(db: Database, image_id: str) -> Image | None:
    async with db.read() as connection:
        rows = (await connection.execute(select(*IMAGE).where(images.c.id == image_id, ~HIDDEN))).all()
        found = await with_variants(connection, rows)
    return found[0] if found else None


async def of_batch(db: Database, batch_id: str, *, after: int = -1, limit: int = 100) -> list[Image]:
    """Images of a batch that follow position ``after``, in the order they were sent."""
    query = (
        select(*IMAGE)
        .where(images.c.batch_id == batch_id, images.c.position > after)
        .order_by(images.c.position)
        .limit(limit)
    )
    async with db.read() as connection:
        return await with_variants(connection, (await connection.execute(query)).all())


async def attempts(db: Database, image_id: str) -> list[Attempt]:
    """Every try of an image, the first one first."""
    query = (
        select(*_ATTEMPT)
        .where(attempts_table.c.image_id == image_id)
        .order_by(attempts_table.c.started_at, attempts_table.c.token)
    )
    async with db.read() as connection:
        return [Attempt(**row._mapping) for row in await connection.execute(query)]
