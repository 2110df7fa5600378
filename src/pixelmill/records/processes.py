"""Processes that beat, and what is taken back from those that stopped.

A lease is not a time but a beat: the holder raises a counter, and a judge that sees it stand still for long enough, by
the judge's own monotonic clock (:class:`Watch`), calls the holder dead. A jumping wall clock steals nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, union, update

from pixelmill.records.database import Database
from pixelmill.records.models import State
from pixelmill.records.tables import deliveries, images, now, processes, roles

K = TypeVar("K", bound=Hashable)


class Watch:
    """Says which of the counters shown to it have stood still for ``seconds``."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[Hashable, tuple[int, float]] = {}

    def still(self, beats: Mapping[K, int]) -> list[K]:
        """``beats`` is every counter that there is now; one not seen before starts its time now."""
        at = self._clock()
        self._seen = {
            key: seen if (seen := self._seen.get(key)) and seen[0] == beat else (beat, at)
            for key, beat in beats.items()
        }
        return [key for key in beats if at - self._seen[key][1] >= self._seconds]


async def register(
    db: Database, process_id: str, *, kind: str, slot: str | None, host: str, pid: int, version: str
) -> list[str]:
    """Make a process known; ids of earlier holders of its ``slot``, dead by the word of whoever gives slots out."""
    async with db.write() as tx:
        earlier = []
        if slot:
            found = select(processes.c.id).where(processes.c.slot == slot, processes.c.kind == kind)
            earlier = [row.id for row in await tx.execute(found)]
        await tx.execute(
            insert(processes).values(
                id=process_id, kind=kind, slot=slot, host=host, pid=pid, version=version, started_at=now()
            )
        )
    return earlier


async def beat(db: Database, process_id: str, doing: Mapping[str, Any]) -> bool:
    """Show that the process lives and what it does. False: it was taken for dead, and what it held is not its own."""
    async with db.write() as tx:
        done = await tx.execute(
            update(processes).where(processes.c.id == process_id).values(beat=processes.c.beat + 1, doing=dict(doing))
        )
    return done.rowcount == 1


async def beats(db: Database) -> dict[str, int]:
    """The beat of every known process."""
    async with db.read() as connection:
        return {row.id: row.beat for row in await connection.execute(select(processes.c.id, processes.c.beat))}


async def unknown(db: Database) -> list[str]:
    """Processes that hold images or deliveries and are forgotten: they took those after they had been buried.

    A frozen process that wakes up may do so until its next beat, and nobody watches its id any more.
    """
    held = [
        select(table.c.process_id)
        .outerjoin(processes, processes.c.id == table.c.process_id)
        .where(table.c.state == state, table.c.process_id.is_not(None), processes.c.id.is_(None))
        for table, state in ((images, State.ACTIVE), (deliveries, "sending"))
    ]
    async with db.read() as connection:
        return [row.process_id for row in await connection.execute(union(*held))]


async def forget(db: Database, process_id: str) -> None:
    """The process holds nothing any more, no role either (it ended, or all it held was taken back)."""
    async with db.write() as tx:
        await tx.execute(delete(roles).where(roles.c.holder == process_id))
        await tx.execute(delete(processes).where(processes.c.id == process_id))


async def role(db: Database, name: str) -> tuple[str, int] | None:
    """Who holds a role, and its beat."""
    async with db.read() as connection:
        row = (await connection.execute(select(roles.c.holder, roles.c.beat).where(roles.c.name == name))).one_or_none()
    return (row.holder, row.beat) if row else None


async def keep_role(db: Database, name: str, holder: str, *, over: tuple[str, int] | None = None) -> bool:
    """Keep (or, with ``over`` the still holder and its beat, take) a role. False: somebody else has it."""
    async with db.write() as tx:
        was, its_beat = over or (holder, None)
        change = update(roles).where(roles.c.name == name, roles.c.holder == was)
        if its_beat is not None:
            change = change.where(roles.c.beat == its_beat)
        done = await tx.execute(change.values(holder=holder, beat=roles.c.beat + 1))
        if done.rowcount == 1:
            return True
        exists = (await tx.execute(select(roles.c.name).where(roles.c.name == name).with_for_update())).one_or_none()
        if exists:
            return False
        await tx.execute(insert(roles).values(name=name, holder=holder, beat=0))
    return True
