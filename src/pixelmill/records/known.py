"""What was made before, and who uses whose bytes.

A completed variant carries the digest of what it was made of and by. An image whose variants have digests that are
known *borrows* those results (:mod:`pixelmill.records.reuse`) instead of being decoded. References are rows, not a
counter: a key is in use while the variant that it was made for has it, or while anybody borrows it.

Three rules make that safe. Who gives up results hides their digests first, in the transaction that marks them: from
then on nobody new can borrow them. Who borrows locks the row that it borrows from, and skips one that is locked: so a
loan is seen by whoever gives up, or is not made. And who ceases to borrow leaves the key in ``loose``, where it is
looked at after the commit: so the last of several that let go at the same time sees that nobody is left.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, insert, select, update

from pixelmill.records.database import Database
from pixelmill.records.tables import batches, borrowed, images, loose, variants
from pixelmill.records.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Known:
    """A variant whose result may be borrowed."""

    image_id: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Loose:
    """A key that somebody ceased to borrow. Once it is not ``used`` it never is again."""

    id: int
    key: str
    used: bool


def digests(
    engine: str, *, owner: str, sha256: str, recipe: Mapping[str, Any], names: Collection[str]
) -> dict[str, str]:
    """What tells each variant: the engine, whose it is, the bytes, its steps and its output, but not its name."""
    found = {}
    for variant in recipe["variants"]:
        if variant["name"] in names:
            made_of = [engine, owner, sha256, recipe.get("facts", True), variant.get("steps"), variant.get("output")]
            text = json.dumps(made_of, sort_keys=True, separators=(",", ":"))
            found[variant["name"]] = hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
    return found


async def find(tx: Transaction, wanted: Mapping[str, str]) -> dict[str, Known]:
    """Who has what is wanted (digests by name): one statement, and one look into the index for each name."""
    if not wanted:
        return {}
    values = {f"v{number}": digest for number, digest in enumerate(wanted.values())}
    row = (await tx.execute(_looks(len(wanted)), values)).one()
    return {name: Known(*text.split("/", 2)) for name, text in zip(wanted, row, strict=True) if text is not None}


@lru_cache(64)
def _looks(number: int) -> Select[Any]:
    one = variants.c.image_id + "/" + variants.c.name + "/" + variants.c.key
    looks = {
        name: select(one).where(variants.c.digest == bindparam(name), variants.c.key.is_not(None)).limit(1)
        for name in (f"v{index}" for index in range(number))
    }
    return select(*(look.scalar_subquery().label(f"look_{name}") for name, look in looks.items()))


async def hide(tx: Transaction, which: ColumnElement[bool]) -> None:
    """Nobody borrows from these variants any more. Waits for those who just do."""
    await tx.execute(update(variants).where(which, variants.c.digest.is_not(None)).values(digest=None))


async def let_go(tx: Transaction, which: ColumnElement[bool]) -> None:
    """End these borrowings; their keys are loose."""
    columns = (borrowed.c.key, borrowed.c.home_image)
    await tx.execute(insert(loose).from_select([column.name for column in columns], select(*columns).where(which)))
    await tx.execute(delete(borrowed).where(which))


async def give_up(tx: Transaction, batch_id: str) -> None:
    """The results of a batch are to be deleted: hide what it made, let go what it borrowed."""
    await hide(tx, variants.c.image_id.in_(select(images.c.id).where(images.c.batch_id == batch_id)))
    await let_go(tx, borrowed.c.batch_id == batch_id)


async def lent(db: Database, batch_id: str) -> frozenset[str]:
    """Keys under the prefix of a batch that others borrow. They only become fewer once its digests are hidden."""
    async with db.read() as connection:
        rows = await connection.execute(select(borrowed.c.key).where(borrowed.c.home == batch_id).distinct())
        return frozenset(row.key for row in rows)


def lent_by(image_ids: Iterable[str]) -> Select[Any]:
    """A query of the keys (with ``home_image``) that were made for these images and that others borrow."""
    return select(borrowed.c.home_image, borrowed.c.key).where(borrowed.c.home_image.in_(image_ids)).distinct()


async def loose_keys(db: Database, limit: int = 500) -> list[Loose]:
    """Keys to look at, the oldest first."""
    home = (
        select(variants.c.image_id)
        .join(images, images.c.id == variants.c.image_id)
        .join(batches, batches.c.id == images.c.batch_id)
        .where(
            variants.c.image_id == loose.c.home_image,
            variants.c.key == loose.c.key,
            batches.c.results_gone.is_(False),
            batches.c.deleting.is_(False),
        )
    )
    used = exists(select(borrowed.c.key).where(borrowed.c.key == loose.c.key)) | home.exists()
    query = select(loose.c.id, loose.c.key, used.label("used")).order_by(loose.c.id).limit(limit)
    async with db.read() as connection:
        return [Loose(row.id, row.key, bool(row.used)) for row in await connection.execute(query)]


async def settled(db: Database, ids: Collection[int]) -> None:
    """These were looked at, and their bytes are deleted if nobody used them."""
    async with db.write() as tx:
        await tx.execute(delete(loose).where(loose.c.id.in_(ids)))


async def missing(db: Database, known: Iterable[Known]) -> None:
    """The bytes of these are not in storage, whatever the record says: nobody is to borrow them again."""
    for one in known:
        async with db.write() as tx:
            await hide(tx, and_(variants.c.image_id == one.image_id, variants.c.name == one.name))
