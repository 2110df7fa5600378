"""Who changed what for others: one line for each act of an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils
from sqlalchemy import insert, select

from pixelmill.records.database import Database
from pixelmill.records.tables import audit, now
from pixelmill.records.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Line:
    """``key_id`` is the key that did it: None for the command line, and for a service that is open."""

    id: str
    at: datetime
    owner: str
    key_id: str | None
    action: str
    target: str | None
    data: dict[str, Any]


async def note(
    tx: Transaction, action: str, *, owner: str, key_id: str | None, target: str, data: dict[str, Any]
) -> None:
    """Write a line in the transaction of what it tells: both are there, or neither."""
    await tx.execute(
        insert(audit).values(
            id=str(uuid_utils.uuid7()), at=now(), owner=owner, key_id=key_id, action=action, target=target, data=data
        )
    )


async def write(db: Database, action: str, *, owner: str, key_id: str | None, target: str) -> None:
    """Write a line about what happened outside the records."""
    async with db.write() as tx:
        await note(tx, action, owner=owner, key_id=key_id, target=target, data={})


async def page(
    db: Database, *, owner: str | None, cursor: str | None = None, limit: int = 50
) -> tuple[list[Line], str | None]:
    """Newest first, and the cursor of the next page. ``owner`` None: of everybody."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit + 1)
    if owner is not None:
        query = query.where(audit.c.owner == owner)
    if cursor is not None:
        query = query.where(audit.c.id < cursor)
    async with db.read() as connection:
        found = [Line(**row._mapping) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None
