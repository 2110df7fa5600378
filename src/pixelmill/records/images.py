"""Images, their variants and their tries: reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select

from pixelmill.records.database import Database
from pixelmill.records.models import Attempt, Image, State, Variant
from pixelmill.records.tables import attempts as attempts_table
from pixelmill.records.tables import batches, images, variants
from pixelmill.records.transaction import Transaction

IMAGE = [column for column in images.c if column.name in Image.__dataclass_fields__]
_VARIANT = [column for column in variants.c if column.name in Variant.__dataclass_fields__]
#: Of a batch that is on its way out: the rows go last, and nothing shows them.
HIDDEN = select(batches.c.id).where(batches.c.id == images.c.batch_id, batches.c.deleting.is_(True)).exists()
# Made once: putting a statement together costs more than running it.
_FIND = select(*IMAGE).where(images.c.id == bindparam("its"), ~HIDDEN)
_OF_BATCH = (
    select(*IMAGE)
    .where(images.c.batch_id == bindparam("its"), images.c.position > bindparam("after"))
    .order_by(images.c.position)
    .limit(bindparam("most"))
)
_VARIANTS = (
    select(*_VARIANT)
    .where(variants.c.image_id.in_(bindparam("their", expanding=True)))
    .order_by(variants.c.image_id, variants.c.position)
)
_OF_ONE = select(*_VARIANT).where(variants.c.image_id == bindparam("its")).order_by(variants.c.position)
_ATTEMPT = [column for column in attempts_table.c if column.name in Attempt.__dataclass_fields__]


def to_image(row: Row[Any], its_variants: Iterable[Variant] = ()) -> Image:
    values = {column.name: getattr(row, column.name) for column in IMAGE}
    return Image(**values | {"state": State(row.state)}, variants=tuple(its_variants))


def to_variant(row: Row[Any]) -> Variant:
    values = {column.name: getattr(row, column.name) for column in _VARIANT}
    return Variant(**values | {"state": State(row.state)})


async def with_variants(connection: Transaction, rows: Sequence[Row[Any]]) -> list[Image]:
    """Images with their variants, in one query more, however many images."""
    of: dict[str, list[Variant]] = {row.id: [] for row in rows}
    if of:
        # Most often it is one; and with a list of ids the text is another each time.
        query = (_OF_ONE, {"its": rows[0].id}) if len(of) == 1 else (_VARIANTS, {"their": [*of]})
        for row in await connection.execute(*query):
            of[row.image_id].append(to_variant(row))
    return [to_image(row, of[row.id]) for row in rows]


async def find(db: Database, image_id: str) -> Image | None:
    async with db.read(few=True) as connection:
        rows = (await connection.execute(_FIND, {"its": image_id})).all()
        found = await with_variants(connection, rows)
    return found[0] if found else None


async def of_batch(db: Database, batch_id: str, *, after: int = -1, limit: int = 100, few: bool = False) -> list[Image]:
    """Images of a batch that follow position ``after``, in the order they were sent. ``few`` as for ``db.read``."""
    async with db.read(few=few) as connection:
        rows = (await connection.execute(_OF_BATCH, {"its": batch_id, "after": after, "most": limit})).all()
        return await with_variants(connection, rows)


async def attempts(db: Database, image_id: str) -> list[Attempt]:
    """Every try of an image, the first one first."""
    query = (
        select(*_ATTEMPT)
        .where(attempts_table.c.image_id == image_id)
        .order_by(attempts_table.c.started_at, attempts_table.c.token)
    )
    async with db.read() as connection:
        return [Attempt(**row._mapping) for row in await connection.execute(query)]
