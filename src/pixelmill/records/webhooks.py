"""Webhook endpoints: addresses that an owner wants to be told at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pixelmill.records.database import Database
from pixelmill.records.models import Secret, Webhook
from pixelmill.records.secrets import from_json, rotated, to_json, webhook_secret
from pixelmill.records.tables import deliveries, now, webhooks
from pixelmill.records.transaction import Transaction

#: What an endpoint may be told of. The end of a batch is the first two; the third says that it runs again.
EVENTS = ("batch.completed", "batch.canceled", "batch.reopened")


def _to_webhook(row: Row[Any]) -> Webhook:
    values = dict(row._mapping)
    return Webhook(**values | {"secrets": from_json(row.secrets), "events": tuple(row.events)})


async def create(db: Database, webhook_id: str, *, owner: str, url: str, events: Sequence[str]) -> Webhook:
    values = {
        "id": webhook_id,
        "owner": owner,
        "url": url,
        "secrets": to_json([Secret(webhook_secret())]),
        "events": list(events),
        "created_at": now(),
    }
    async with db.write() as tx:
        await tx.execute(insert(webhooks).values(values))
        return await _read(tx, webhook_id)


async def find(db: Database, webhook_id: str, owner: str | None = None) -> Webhook | None:
    """An endpoint; with ``owner``, only if it is theirs."""
    query = select(webhooks).where(webhooks.c.id == webhook_id)
    if owner is not None:
        query = query.where(webhooks.c.owner == owner)
    async with db.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    return _to_webhook(row) if row else None


async def page(
    db: Database, *, owner: str | None = None, cursor: str | None = None, limit: int = 50
) -> tuple[list[Webhook], str | None]:
    """Newest first, and the cursor of the next page (None at the end)."""
    query = select(webhooks).order_by(webhooks.c.id.desc()).limit(limit + 1)
    if owner is not None:
        query = query.where(webhooks.c.owner == owner)
    if cursor is not None:
        query = query.where(webhooks.c.id < cursor)
    async with db.read() as connection:
        found = [_to_webhook(row) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def change(
    db: Database,
    webhook_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> Webhook | None:
    """Change what is given. What was still to be told to one that is disabled is given up; it can be replayed."""
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = url
    if events is not None:
        values["events"] = list(events)
    if enabled:
        values |= {"disabled_at": None, "disabled_reason": None}
    async with db.write() as tx:
        if values:
            await tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))
        if url is not None:
            await tx.execute(
                update(deliveries)
                .where(deliveries.c.webhook_id == webhook_id, deliveries.c.state == "due")
                .values(url=url)
            )
        if enabled is False:
            await disable(tx, webhook_id, "It was switched off.")
        row = (await tx.execute(select(webhooks).where(webhooks.c.id == webhook_id))).one_or_none()
    return _to_webhook(row) if row else None


async def rotate(db: Database, webhook_id: str, *, until: datetime) -> Webhook | None:
    """Give it a new secret; the older ones sign beside it until ``until``."""
    async with db.write() as tx:
        query = select(webhooks.c.secrets).where(webhooks.c.id == webhook_id).with_for_update()
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            return None
        found = rotated(from_json(row.secrets), webhook_secret(), until, now())
        await tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(secrets=to_json(found)))
        return await _read(tx, webhook_id)


async def remove(db: Database, webhook_id: str) -> bool:
    """Delete it with all its deliveries. False: there was none."""
    async with db.write() as tx:
        done = await tx.execute(delete(webhooks).where(webhooks.c.id == webhook_id))
    return done.rowcount == 1


async def disable(tx: Transaction, webhook_id: str, reason: str) -> None:
    """Tell it nothing any more, also not what is due."""
    # Deliveries first: who makes a new one locks its row before the endpoint's, and neither may wait for the other.
    due = deliveries.c.state == "due"
    await tx.execute(update(deliveries).where(deliveries.c.webhook_id == webhook_id, due).values(state="failed"))
    enabled = webhooks.c.disabled_at.is_(None)
    values = {"disabled_at": now(), "disabled_reason": reason}
    await tx.execute(update(webhooks).where(webhooks.c.id == webhook_id, enabled).values(values))


async def _read(tx: Transaction, webhook_id: str) -> Webhook:
    return _to_webhook((await tx.execute(select(webhooks).where(webhooks.c.id == webhook_id))).one())
