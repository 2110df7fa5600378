"""The event log: what a batch tells, numbered without gaps in the order of commits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, func, insert, or_, select, update

from pixelmill.records.database import Database
from pixelmill.records.models import Event
from pixelmill.records.tables import batches, events, now
from pixelmill.records.transaction import Transaction

# Made once: putting a statement together costs more than running it. What is given beside ``its`` is set.
_EVENTS = insert(events)
_BATCH = update(batches).where(batches.c.id == bindparam("its"))
_EVENT = [column for column in events.c if column.name in Event.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class News:
    """An event to be logged."""

    event: str
    job_id: str | None = None
    variant: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def log(tx: Transaction, batch_id: str, seq: int, news: Sequence[News], **changes: Any) -> None:
    """Append ``news`` after number ``seq`` and make ``changes`` to the batch row.

    The caller holds the lock on the batch row and read ``seq`` under it: so a reader never passes a number that
    commits later.
    """
    await append(tx, batch_id, seq, news)
    await tx.execute(_BATCH, {"its": batch_id, "seq": seq + len(news), **changes})


async def append(tx: Transaction, batch_id: str, seq: int, news: Sequence[News]) -> None:
    """The same of a batch whose row tells the number of the last of them already."""
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


async def after(db: Database, batch_id: str, seq: int, limit: int = 500) -> list[Event]:
    """The events of a batch that follow number ``seq``, oldest first. They last: no number of theirs is given again."""
    query = select(*_EVENT).where(events.c.batch_id == batch_id, events.c.seq > seq).order_by(events.c.seq).limit(limit)
    async with db.read() as connection:
        found = [Event(*row) for row in await connection.execute(query)]
    if found:
        await db.lasts()
    return found


#: Gaps that a reader of the whole log remembers apart; beyond that the oldest two are taken for one.
MOST_GAPS = 32
_PLACE = re.compile(rf"[0-9]{{1,18}}(-[0-9]{{1,18}}\.[0-9]{{1,18}}){{0,{MOST_GAPS}}}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of the whole log is: ``last`` is the highest id it has seen, ``gaps`` are ranges of ids below it
    (first and last) that it has not.

    An id is given before its transaction commits, so a lower one can appear after a higher one. Such a one is waited
    for by its number, as in Axon's gap-aware tracking token, and holds up nothing. Within a batch the order is that of
    its numbers, which are given under the lock on its row.
    """

    last: int
    gaps: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return "-".join([str(self.last), *(f"{first}.{last}" for first, last in self.gaps)])

    @staticmethod
    def read(text: str) -> Place | None:
        """From what :meth:`__str__` wrote; None for anything else."""
        if not _PLACE.match(text):
            return None
        last, *gaps = text.split("-")
        ranges = [(int(first), int(end)) for first, _, end in (gap.partition(".") for gap in gaps)]
        return Place(int(last), tuple(ranges))

    def after(self, id: int) -> Place:
        """The place once the event with this id has been seen."""
        if id <= self.last:
            split = [part for a, b in self.gaps for part in (((a, id - 1), (id + 1, b)) if a <= id <= b else ((a, b),))]
            gaps = [(a, b) for a, b in split if a <= b]
        else:
            gaps = [*self.gaps, (self.last + 1, id - 1)] if id > self.last + 1 else [*self.gaps]
        while len(gaps) > MOST_GAPS:  # what lies between the two is told a second time: better than never
            gaps[:2] = [(gaps[0][0], gaps[1][1])]
        return Place(max(id, self.last), tuple(gaps))

    def settled(self, id: int) -> Place:
        """The place when no id up to this one can appear any more."""
        return Place(self.last, tuple((max(a, id + 1), b) for a, b in self.gaps if b > id))


@dataclass(frozen=True, slots=True)
class Logged:
    """An event in the whole log, whose it is, and where a reader is that has seen it."""

    event: Event
    owner: str
    place: Place


async def newest(db: Database) -> Place:
    """The end of the whole log as it is now. It lasts: no id up to it is given again."""
    async with db.read() as connection:
        place = Place((await connection.execute(select(func.max(events.c.id)))).scalar_one_or_none() or 0)
    await db.lasts()
    return place


async def beyond(db: Database, place: Place, limit: int) -> list[Logged]:
    """The events of all batches that a reader at ``place`` has not seen, at most ``limit``. They last."""
    unseen = or_(events.c.id > place.last, *(events.c.id.between(first, last) for first, last in place.gaps))
    query = (
        select(events.c.id, batches.c.owner, *_EVENT)
        .join(batches, batches.c.id == events.c.batch_id)
        .where(unseen)
        .order_by(events.c.id)
        .limit(limit)
    )
    found = []
    async with db.read() as connection:
        for id, owner, *event in await connection.execute(query):
            place = place.after(id)
            found.append(Logged(Event(*event), owner, place))
    if found:
        await db.lasts()
    return found
