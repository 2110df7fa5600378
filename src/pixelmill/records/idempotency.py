"""Answers to requests that carry an Idempotency-Key, and who is still working on one.

A key is reserved for a process before the request's body is read. While that process lives, nobody else may take it;
when it is dead (its row is gone) the reservation is free again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pixelmill.errors import PixelmillError
from pixelmill.records.database import Database
from pixelmill.records.tables import idempotency, now, processes
from pixelmill.records.transaction import Transaction

_t = idempotency.c


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. ``body`` is sealed by who gives it: it may hold a secret that is kept nowhere else."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str


class Running(Exception):
    """The first request with this key is not over."""


async def reserve(
    db: Database, owner: str, key: str, process_id: str, *, keep: timedelta, lost: bool = False
) -> Answer | None:
    """Take the key; or, when it was used already, what was answered. Raises Running.

    Answers older than ``keep`` count as gone. ``lost``: the process has no request with this key in hand, so that a
    reservation of its own is one whose end could not be recorded.
    """
    while True:
        try:
            async with db.write() as tx:
                return await _reserve(tx, owner, key, process_id, keep, lost)
        except IntegrityError:
            # Another one took it in the same moment; what it is now is read again.
            continue


async def _reserve(
    tx: Transaction, owner: str, key: str, process_id: str, keep: timedelta, lost: bool
) -> Answer | None:
    at = now()
    mine = (_t.owner == owner, _t.key == key)
    row = (await tx.execute(select(idempotency).where(*mine).with_for_update())).one_or_none()
    if row is not None:
        if row.status is None:
            alive = select(processes.c.id).where(processes.c.id == row.process_id)
            if not (lost and row.process_id == process_id) and (await tx.execute(alive)).one_or_none():
                raise Running
        elif row.created_at > at - keep:
            return Answer(row.fingerprint, row.status, row.headers, row.body)
        again = {"process_id": process_id, "created_at": at, "fingerprint": None, "status": None}
        await tx.execute(update(idempotency).where(*mine).values(**again, headers=None, body=None))
        return None
    await tx.execute(insert(idempotency).values(owner=owner, key=key, process_id=process_id, created_at=at))
    return None


def answering(owner: str, key: str, process_id: str, answer: Answer) -> Callable[[Transaction], Awaitable[None]]:
    """Records the answer in a transaction, the one that does what it tells: both are there, or neither.

    Raises PixelmillError ``idempotency-running`` when the reservation was lost: this process was taken for dead.
    """

    async def record(tx: Transaction) -> None:
        done = await tx.execute(
            update(idempotency)
            .where(_t.owner == owner, _t.key == key, _t.process_id == process_id, _t.status.is_(None))
            .values(fingerprint=answer.fingerprint, status=answer.status, headers=answer.headers, body=answer.body)
        )
        if done.rowcount != 1:
            raise PixelmillError("idempotency-running", "Another request with this key has taken over.")

    return record


async def answer(db: Database, owner: str, key: str, process_id: str, given: Answer) -> None:
    """:func:`answering` in a transaction of its own."""
    async with db.write() as tx:
        await answering(owner, key, process_id, given)(tx)


async def release(db: Database, owner: str, key: str, process_id: str) -> None:
    """The request came to nothing: the key is free. Does nothing once an answer is recorded."""
    async with db.write() as tx:
        await tx.execute(
            delete(idempotency).where(
                _t.owner == owner, _t.key == key, _t.process_id == process_id, _t.status.is_(None)
            )
        )


async def expire(db: Database, *, keep: timedelta, limit: int = 500) -> int:
    """Delete answers older than ``keep``, and reservations of dead processes as old; how many."""
    old = (
        select(_t.owner, _t.key, _t.created_at)
        .outerjoin(processes, processes.c.id == _t.process_id)
        .where(_t.created_at <= now() - keep, _t.status.is_not(None) | processes.c.id.is_(None))
        .order_by(_t.created_at)
        .limit(limit)
    )
    async with db.read() as connection:
        found = (await connection.execute(old)).all()
    if found:
        async with db.write() as tx:
            for row in found:
                # Unless it was taken anew in between.
                same = (_t.owner == row.owner, _t.key == row.key, _t.created_at == row.created_at)
                await tx.execute(delete(idempotency).where(*same))
    return len(found)
