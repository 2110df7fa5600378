"""Messages to webhooks: written in the transaction that ends a batch, taken and sent by whichever process is first.

A row goes from ``due`` to ``sending`` by compare-and-set with the sender's process id, and back to ``due`` when that
process dies; so a message is sent at least once, and the same ``webhook-id`` tells its receiver when it was twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import uuid_utils
from sqlalchemy import Row, Select, bindparam, delete, insert, or_, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records.database import Database
from pixelmill.records.events import News
from pixelmill.records.models import Batch, BatchStatus, Counts, Delivery
from pixelmill.records.tables import deliveries, now, webhooks
from pixelmill.records.transaction import Transaction
from pixelmill.records.webhooks import EVENTS, disable

#: Tries that a delivery's log keeps.
LOG = 50
OVER = ("delivered", "failed")

_ENDPOINTS = select(*webhooks.c["id", "url", "events"]).where(
    webhooks.c.owner == bindparam("its"), webhooks.c.disabled_at.is_(None)
)
_DELIVERY = [deliveries.c[name] for name in Delivery.__dataclass_fields__]


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(**row._mapping)


def endpoint(one: Delivery) -> str:
    """What is to be called: deliveries with the same one share its limits."""
    return one.webhook_id or one.url


async def note(tx: Transaction, batch: Batch, news: Sequence[News], status: BatchStatus, counts: Counts) -> None:
    """Write what the owner's endpoints, and the batch's own address, are to be told of ``news``."""
    told = [one.event for one in news if one.event in EVENTS]
    if not told:
        return
    targets = [(row.id, row.url, row.events) for row in await tx.execute(_ENDPOINTS, {"its": batch.owner})]
    if batch.callback_url:
        targets.append((None, batch.callback_url, EVENTS))
    facts = {
        "batchId": batch.id,
        "status": status.value,
        "progress": {
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "active": counts.active,
            "waiting": counts.waiting,
            "canceled": counts.canceled,
        },
        "preset": batch.preset,
        "metadata": batch.metadata,
    }
    rows = [
        _row(batch.owner, webhook_id, batch.id, url, event, facts)
        for event in told
        for webhook_id, url, wanted in targets
        if event in wanted
    ]
    if rows:
        await tx.execute(insert(deliveries), rows)


async def write_test(db: Database, webhook_id: str, owner: str, url: str) -> str:
    """Write a message that says only that the endpoint can be reached; its id."""
    row = _row(owner, webhook_id, "", url, "webhook.test", {})
    async with db.write() as tx:
        await tx.execute(insert(deliveries).values(row))
    return str(row["id"])


def _row(
    owner: str, webhook_id: str | None, batch_id: str, url: str, event: str, payload: dict[str, Any]
) -> dict[str, Any]:
    at = now()
    return {
        "id": str(uuid_utils.uuid7()),
        "owner": owner,
        "webhook_id": webhook_id,
        "batch_id": batch_id,
        "url": url,
        "event": event,
        "payload": payload,
        "state": "due",
        "due_at": at,
        "created_at": at,
    }


async def claim(
    db: Database, process_id: str, *, at: datetime, limit: int, most: int, busy: Mapping[str, int] | None = None
) -> list[Delivery]:
    """Take up to ``limit`` deliveries that are due at ``at``, the longest due first.

    No endpoint gets more than ``most`` of them, those ``busy`` already counted: one that hangs holds up no other.
    """
    taken: list[Delivery] = []
    held = Counter(busy or {})
    while len(taken) < limit:
        full = [key for key, number in held.items() if number >= most]
        query = select(*_DELIVERY).where(deliveries.c.state == "due", deliveries.c.due_at <= at)
        if full:
            query = query.where(
                or_(deliveries.c.webhook_id.is_(None), deliveries.c.webhook_id.not_in(full)),
                or_(deliveries.c.webhook_id.is_not(None), deliveries.c.url.not_in(full)),
            )
        async with db.read() as connection:
            rows = await connection.execute(query.order_by(deliveries.c.due_at).limit(limit))
            found = [_to_delivery(row) for row in rows]
        if not found:
            break
        for one in found:
            if len(taken) < limit and held[endpoint(one)] < most:
                held[endpoint(one)] += 1
                if await _take(db, one.id, process_id):
                    taken.append(one)
    return taken


async def _take(db: Database, delivery_id: str, process_id: str) -> bool:
    async with db.write() as tx:
        done = await tx.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.state == "due")
            .values(state="sending", process_id=process_id)
        )
    return done.rowcount == 1


async def finish(
    db: Database,
    one: Delivery,
    process_id: str,
    tried: dict[str, Any],
    *,
    state: str,
    at: datetime,
    due_at: datetime | None = None,
    disabled: str | None = None,
) -> bool:
    """End a try: ``state`` is delivered, failed, or due again at ``due_at``. ``disabled``: why no more is to be sent.

    False, and nothing is changed: it is not ours any more.
    """
    async with db.write() as tx:
        ours = (
            select(deliveries.c.log)
            .where(deliveries.c.id == one.id, deliveries.c.state == "sending", deliveries.c.process_id == process_id)
            .with_for_update()
        )
        row = (await tx.execute(ours)).one_or_none()
        if row is None:
            return False
        await tx.execute(
            update(deliveries)
            .where(deliveries.c.id == one.id)
            .values(
                state=state,
                process_id=None,
                tries=one.tries + 1,
                due_at=due_at or at,
                delivered_at=at if state == "delivered" else None,
                log=[*row.log, tried][-LOG:],
            )
        )
        if disabled and one.webhook_id:
            await disable(tx, one.webhook_id, disabled)
    return True


async def take_back(db: Database, process_id: str, keep: Collection[str] = ()) -> int:
    """Make what a process was sending due again, but for ``keep``; how many."""
    mine = (deliveries.c.state == "sending", deliveries.c.process_id == process_id)
    async with db.read() as connection:
        rows = (await connection.execute(select(deliveries.c.id).where(*mine))).all()
    loose = [row.id for row in rows if row.id not in keep]
    if not loose:
        return 0
    async with db.write() as tx:
        done = await tx.execute(
            update(deliveries).where(*mine, deliveries.c.id.in_(loose)).values(state="due", process_id=None)
        )
    return done.rowcount


async def replay(db: Database, delivery_id: str, *, at: datetime) -> None:
    """Send a delivery again, from the start of its schedule. Raises ``not-found`` or ``conflict``."""
    async with db.write() as tx:
        query = select(*_DELIVERY).where(deliveries.c.id == delivery_id).with_for_update()
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            raise PixelmillError("not-found", "There is no such delivery.")
        if row.state == "sending":
            raise PixelmillError("conflict", "It is being sent right now.")
        if row.webhook_id:
            its = select(webhooks.c.disabled_at).where(webhooks.c.id == row.webhook_id)
            if (await tx.execute(its)).one().disabled_at is not None:
                raise PixelmillError("conflict", "Its endpoint is disabled; enable that first.")
        values = {"state": "due", "tries": 0, "due_at": at, "delivered_at": None}
        await tx.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))


async def find(db: Database, delivery_id: str) -> Delivery | None:
    async with db.read() as connection:
        row = (await connection.execute(select(*_DELIVERY).where(deliveries.c.id == delivery_id))).one_or_none()
    return _to_delivery(row) if row else None


async def page(
    db: Database,
    *,
    webhook_id: str | None = None,
    batch_id: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Delivery], str | None]:
    """Newest first, and the cursor of the next page (None at the end)."""
    query: Select[Any] = select(*_DELIVERY).order_by(deliveries.c.id.desc()).limit(limit + 1)
    for column, wanted in (("webhook_id", webhook_id), ("batch_id", batch_id), ("state", state)):
        if wanted is not None:
            query = query.where(deliveries.c[column] == wanted)
    if cursor is not None:
        query = query.where(deliveries.c.id < cursor)
    async with db.read() as connection:
        found = [_to_delivery(row) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def prune(db: Database, before: datetime, limit: int = 500) -> int:
    """Delete deliveries that are over since before ``before``; how many."""
    old = (deliveries.c.state.in_(OVER), deliveries.c.due_at < before)
    async with db.read() as connection:
        rows = (await connection.execute(select(deliveries.c.id).where(*old).limit(limit))).all()
    if rows:
        async with db.write() as tx:
            await tx.execute(delete(deliveries).where(*old, deliveries.c.id.in_([row.id for row in rows])))
    return len(rows)
