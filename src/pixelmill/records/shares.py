"""Links to a batch. The record knows a token only by its SHA-256: who reads the table can open none of them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import delete, insert, select

from pixelmill.records.database import Database
from pixelmill.records.models import Share
from pixelmill.records.tables import now, shares

_SHARE = [shares.c[name] for name in Share.__dataclass_fields__]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def create(db: Database, share_id: str, token: str, *, owner: str, batch_id: str, expires_at: datetime) -> Share:
    share = Share(share_id, owner, batch_id, now(), expires_at)
    async with db.write() as tx:
        await tx.execute(
            insert(shares).values(
                id=share_id,
                owner=owner,
                batch_id=batch_id,
                hash=_hash(token),
                created_at=share.created_at,
                expires_at=expires_at,
            )
        )
    return share


async def by_token(db: Database, token: str, at: datetime) -> Share | None:
    """The share that ``token`` opens at the time ``at``."""
    query = select(*_SHARE).where(shares.c.hash == _hash(token), shares.c.expires_at > at)
    async with db.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    return Share(**row._mapping) if row else None


async def of_batch(db: Database, batch_id: str, at: datetime) -> list[Share]:
    """The shares of a batch that are still good, newest first; 100 at most."""
    query = (
        select(*_SHARE)
        .where(shares.c.batch_id == batch_id, shares.c.expires_at > at)
        .order_by(shares.c.id.desc())
        .limit(100)
    )
    async with db.read() as connection:
        return [Share(**row._mapping) for row in await connection.execute(query)]


async def revoke(db: Database, batch_id: str, share_id: str) -> bool:
    """End a share. False: there is none."""
    async with db.write() as tx:
        done = await tx.execute(delete(shares).where(shares.c.id == share_id, shares.c.batch_id == batch_id))
    return done.rowcount == 1
