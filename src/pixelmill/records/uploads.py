"""Files that arrive on their own, before a batch takes them.

One writer at a time: it holds the upload by a token, and every write of it carries that token, so that one which was
taken for dead changes nothing any more. A row outlives its bytes by the longest time that a late writer may still
write; the sweep looks once more then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy import delete as delete_rows

from pixelmill.errors import PixelmillError
from pixelmill.records.database import Database
from pixelmill.records.models import State, Upload
from pixelmill.records.tables import batches, images, now, processes, tickets, uploads
from pixelmill.records.transaction import Transaction

_t = uploads.c
_UPLOAD = [uploads.c[name] for name in Upload.__dataclass_fields__]


def _upload(row: Row[Any]) -> Upload:
    return Upload(**row._mapping)


async def create(db: Database, new: Sequence[Upload], *, ticket: Mapping[str, Any] | None = None) -> None:
    """Record uploads that may come; with a ``ticket`` (its columns), that it was given."""
    async with db.write() as tx:
        if ticket is not None:
            await tx.execute(insert(tickets).values(**ticket))
        await tx.execute(insert(uploads), [asdict(one) for one in new])


async def find(db: Database, upload_id: str) -> Upload | None:
    """An upload that can still be seen: not one that is deleted."""
    query = select(*_UPLOAD).where(_t.id == upload_id, _t.state.in_(("open", "finished", "taken")))
    async with db.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    return _upload(row) if row else None


async def hold(db: Database, upload_id: str, token: str, process_id: str, *, writing: Collection[str]) -> Upload:
    """Take an open upload for writing; one that is finished or taken is only read.

    ``writing`` are the tokens that this process holds: another token that the record gives to it is of a request whose
    end was not recorded. Raises PixelmillError: ``not-found``, ``upload-expired``, ``locked``.
    """
    at = now()
    async with db.write() as tx:
        row = (await tx.execute(select(*_UPLOAD).where(_t.id == upload_id).with_for_update())).one_or_none()
        if row is None or row.state not in ("open", "finished", "taken"):
            raise PixelmillError("not-found", "There is no such upload.")
        if row.state != "open":
            return _upload(row)
        if row.expires_at <= at:
            raise PixelmillError("upload-expired")
        lost = row.process_id == process_id and row.token not in writing
        if row.token is not None and not lost:
            alive = select(processes.c.id).where(processes.c.id == row.process_id)
            if (await tx.execute(alive)).one_or_none():
                raise PixelmillError("locked", extra={"retryAfter": 1})
        await tx.execute(update(uploads).where(_t.id == upload_id).values(token=token, process_id=process_id))
    return _upload(row)


async def advance(
    db: Database, upload_id: str, token: str, *, start: int, end: int, metadata: dict[str, Any], expires_at: datetime
) -> bool:
    """Record that the bytes from ``start`` to ``end`` are stored. False: it is no longer ours, and nothing changed."""
    async with db.write() as tx:
        done = await tx.execute(
            update(uploads)
            .where(_t.id == upload_id, _t.token == token, _t.state == "open", _t.offset == start)
            .values(offset=end, metadata=metadata, expires_at=expires_at)
        )
    return done.rowcount == 1


async def finish(
    db: Database,
    upload_id: str,
    token: str,
    *,
    key: str,
    bytes: int,
    sha256: str,
    format: str | None,
    expires_at: datetime,
) -> bool:
    """Record that all of it is stored under ``key``. False: it is no longer ours, and nothing changed."""
    async with db.write() as tx:
        done = await tx.execute(
            update(uploads)
            .where(_t.id == upload_id, _t.token == token, _t.state == "open")
            .values(
                state="finished",
                key=key,
                offset=bytes,
                sha256=sha256,
                format=format,
                expires_at=expires_at,
                token=None,
                process_id=None,
            )
        )
    return done.rowcount == 1


async def release(db: Database, upload_id: str, token: str) -> None:
    """Let another write."""
    async with db.write() as tx:
        await tx.execute(
            update(uploads).where(_t.id == upload_id, _t.token == token).values(token=None, process_id=None)
        )


async def take(tx: Transaction, upload_id: str, batch_id: str) -> None:
    """Give an upload that is whole to a batch, once. Raises PixelmillError ``conflict``."""
    done = await tx.execute(
        update(uploads)
        .where(
            _t.id == upload_id,
            or_(_t.state == "finished", and_(_t.kind == "direct", _t.state == "open")),
            _t.expires_at > now(),
        )
        .values(state="taken", batch_id=batch_id)
    )
    if done.rowcount != 1:
        raise PixelmillError("conflict", f"The upload {upload_id} was taken by another batch, or its time is over.")


async def drop(db: Database, upload_id: str) -> bool:
    """Give up an upload that no batch has taken: from now on it is hidden, and its writer is refused. False: taken."""
    async with db.write() as tx:
        done = await tx.execute(
            update(uploads)
            .where(_t.id == upload_id, _t.state.in_(("open", "finished")))
            .values(state="deleting", token=None, process_id=None, expires_at=now())
        )
    return done.rowcount == 1


async def due(db: Database, at: datetime, limit: int = 100) -> list[Upload]:
    """Uploads whose time is over; of those not taken, the state becomes ``deleting`` first."""
    query = select(*_UPLOAD).where(_t.expires_at <= at).order_by(_t.expires_at).limit(limit)
    async with db.write() as tx:
        ids = [row.id for row in await tx.execute(query)]
        if not ids:
            return []
        waiting = (_t.id.in_(ids), _t.state.in_(("open", "finished")), _t.expires_at <= at)
        await tx.execute(update(uploads).where(*waiting).values(state="deleting", token=None, process_id=None))
        return [_upload(row) for row in await tx.execute(select(*_UPLOAD).where(_t.id.in_(ids), _t.expires_at <= at))]


async def postpone(db: Database, upload_id: str, until: datetime, *, state: str) -> None:
    """Look again at ``until``."""
    async with db.write() as tx:
        await tx.execute(update(uploads).where(_t.id == upload_id).values(expires_at=until, state=state))


async def forget(db: Database, upload_id: str) -> None:
    async with db.write() as tx:
        await tx.execute(delete_rows(uploads).where(_t.id == upload_id))


async def forget_tickets(db: Database, before: datetime, limit: int = 500) -> None:
    """Delete tickets that ended before ``before``."""
    async with db.write() as tx:
        rows = await tx.execute(select(tickets.c.id).where(tickets.c.expires_at < before).limit(limit))
        if ids := [row.id for row in rows]:
            await tx.execute(delete_rows(tickets).where(tickets.c.id.in_(ids)))


async def kept_by(db: Database, one: Upload) -> str | None:
    """What still needs a taken upload's bytes: the key that an image has, ``""`` for an image yet to be copied.

    A dead letter needs them too, for it may be replayed until the originals of its batch are deleted.
    """
    query = (
        select(images.c.key, images.c.state, images.c.source)
        .join(batches, batches.c.id == images.c.batch_id)
        .where(images.c.batch_id == one.batch_id, batches.c.originals_gone.is_(False))
    )
    async with db.read() as connection:
        for row in await connection.execute(query):
            if row.key == one.key:
                return one.key
            waits = row.key is None and row.state not in (State.COMPLETED, State.CANCELED)
            if waits and (row.source or {}).get("upload") == one.id:
                return ""
    return None
