"""Secrets that the service makes for itself, once, and every process of it shares."""

from __future__ import annotations

import base64
import secrets as randomness
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pixelmill.records.database import Database
from pixelmill.records.models import Secret
from pixelmill.records.tables import EPOCH, now, secrets

_MICROSECOND = timedelta(microseconds=1)
#: Secrets that sign at a time, the newest included.
MOST = 5


def webhook_secret() -> str:
    """A secret as Standard Webhooks writes it: ``whsec_`` and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(randomness.token_bytes(32)).decode()}"


def to_json(found: Iterable[Secret]) -> list[dict[str, Any]]:
    return [
        {"secret": one.secret, "until": None if one.until is None else (one.until - EPOCH) // _MICROSECOND}
        for one in found
    ]


def from_json(value: Iterable[dict[str, Any]]) -> tuple[Secret, ...]:
    return tuple(
        Secret(one["secret"], None if one["until"] is None else EPOCH + one["until"] * _MICROSECOND) for one in value
    )


def in_use(found: Iterable[Secret], at: datetime) -> list[Secret]:
    """Those whose time is not over, the newest first."""
    return [one for one in found if one.until is None or one.until > at]


def rotated(found: Iterable[Secret], new: str, until: datetime, at: datetime) -> tuple[Secret, ...]:
    """``new`` first; the others go on until ``until``, or until their own time if that is earlier."""
    older = [Secret(one.secret, min(one.until or until, until)) for one in in_use(found, at)]
    return (Secret(new), *in_use(older, at))[:MOST]


async def find(db: Database, name: str) -> tuple[Secret, ...]:
    """The secrets of this name, the newest first; empty when none was made yet."""
    async with db.read() as connection:
        row = (await connection.execute(select(secrets.c.value).where(secrets.c.name == name))).one_or_none()
    return from_json(row.value) if row else ()


async def obtain(db: Database, name: str, make: Callable[[], str] = webhook_secret) -> tuple[Secret, ...]:
    """The secrets of this name; the first one is made when there is none. All who ask at once get the same."""
    if found := await find(db, name):
        return found
    try:
        async with db.write() as tx:
            await tx.execute(insert(secrets).values(name=name, value=to_json([Secret(make())]), created_at=now()))
    except IntegrityError:
        pass  # another process was quicker
    return await find(db, name)


async def rotate(
    db: Database, name: str, *, until: datetime, make: Callable[[], str] = webhook_secret
) -> tuple[Secret, ...]:
    """Put a new secret first; the older ones sign until ``until``."""
    await obtain(db, name, make)
    async with db.write() as tx:
        row = (await tx.execute(select(secrets.c.value).where(secrets.c.name == name).with_for_update())).one()
        found = rotated(from_json(row.value), make(), until, now())
        await tx.execute(update(secrets).where(secrets.c.name == name).values(value=to_json(found)))
    return found
