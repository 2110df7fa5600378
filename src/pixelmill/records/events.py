"""The event log: what a batch tells, numbered without gaps in the order of commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pixelmill.records.database import Database
from pixelmill.records.models import Event
from pixelmill.records.tables import batches, events, now

# Made once: putting a statement together costs more than running it. What is given beside ``its`` is set.
_EVENTS = insert(events)
_BATCH = update(batches).where(batches.c.id == bindparam("its"))


@dataclass(frozen=True, slots=True)
class News:
    """An event to be logged."""

    event: str
    job_id: str | None = None
    variant: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def log(tx: AsyncConnection, batch_id: str, seq: int, news: Sequence[News], **changes: Any) -> None:
    """Append ``news`` after number ``seq`` and make ``changes`` to the batch row.

    The caller holds the lock on the batch row and read ``seq`` under it: so a reader never passes a number that
    commits later.
    """
    at = now()
    if news:
        await tx.execute(
            _EVENTS,
            [
                {
                    "batch_id": batch_id,
                    "seq": seq + number,
                    "event": one.event,
                    "at": at,
                    "job_id": one.job_id,
                    "variant": one.variant,
                    "data": one.data,
                }
                for number, one in enumerate(news, 1)
            ],
        )
    await tx.execute(_BATCH, {"its": batch_id, "seq": seq + len(news), **changes})


async def after(db: Database, batch_id: str, seq: int, limit: int = 500) -> list[Event]:
    """The events of a batch that follow number ``seq``, oldest first."""
    query = (
        select(
            events.c.batch_id,
            events.c.seq,
            events.c.event,
            events.c.at,
            events.c.job_id,
            events.c.variant,
            events.c.data,
        )
        .where(events.c.batch_id == batch_id, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    async with db.read() as connection:
        return [Event(*row) for row in await connection.execute(query)]
