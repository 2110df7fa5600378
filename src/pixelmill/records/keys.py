"""API keys: made once, shown once, kept as hashes.

A key is ``pm_<id part>_<random>``. The id part names it in lists and logs; the random part has 256 bits, so one round
of SHA-256 hides it as well as any slow hash would.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import uuid_utils
from sqlalchemy import insert, inspect, or_, select, update

from pixelmill.records import audit
from pixelmill.records.database import Database
from pixelmill.records.tables import keys, now

#: What a key may do. ``admin`` includes the others.
SCOPES = ("upload", "read", "admin")
#: Seconds between two notes of when a key was used: a write for each request would be too many.
TOUCH = 60

_ANY = select(keys.c.id).limit(1)

_LETTERS = string.ascii_letters + string.digits
#: 43 letters out of 62 are 256 bits.
_RANDOM = 43
_FORM = re.compile(rf"pm_[0-9a-f]{{12}}_[A-Za-z0-9]{{{_RANDOM}}}\Z")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Key:
    """``owner`` is the tenant; "" is the service's own, whose admin keys manage all of it."""

    id: str
    owner: str
    name: str
    scopes: frozenset[str]
    limits: dict[str, int]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def prefix(self) -> str:
        """The part of the key that may be shown."""
        return f"pm_{_id_part(self.id)}"

    def usable(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change: the owner and key of an administrator; no key is the command line or an open service."""

    owner: str = ""
    key_id: str | None = None


def owner_is_fine(owner: str) -> bool:
    """ "" or up to 64 letters, digits and ``. _ @ -``, the first one a letter or digit."""
    return owner == "" or _OWNER.match(owner) is not None


def _id_part(key_id: str) -> str:
    # The end of a UUIDv7 is random; its start is the time.
    return key_id.replace("-", "")[-12:]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_COLUMNS = [column for column in keys.c if column.name in Key.__dataclass_fields__]


def _to_key(row: Any) -> Key:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Key(**values | {"scopes": frozenset(row.scopes)})


async def make(
    db: Database,
    *,
    owner: str,
    name: str,
    scopes: Iterable[str],
    limits: Mapping[str, int] | None = None,
    expires_at: datetime | None = None,
    by: By = By(),
) -> tuple[Key, str]:
    """A new key, and its secret, which is kept nowhere."""
    granted = frozenset(scopes)
    assert granted and granted <= frozenset(SCOPES), granted
    assert owner_is_fine(owner), owner
    key = Key(str(uuid_utils.uuid7()), owner, name, granted, dict(limits or {}), now(), expires_at, None, None)
    secret = f"{key.prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(_RANDOM))}"
    async with db.write() as tx:
        await tx.execute(
            insert(keys).values(
                id=key.id,
                owner=owner,
                name=name,
                hash=_hash(secret),
                scopes=sorted(granted),
                limits=key.limits,
                created_at=key.created_at,
                expires_at=expires_at,
            )
        )
        told = {"name": name, "scopes": sorted(granted), "for": owner}
        await audit.note(tx, "key.made", owner=by.owner, key_id=by.key_id, target=key.id, data=told)
    return key, secret


async def by_secret(db: Database, secret: str) -> Key | None:
    """The key whose secret this is, usable or not.

    What is looked up is a hash, so the time that takes says nothing about how near a guess is; the last word is a
    comparison in constant time.
    """
    if not _FORM.match(secret):
        return None
    hashed = _hash(secret)
    async with db.read() as connection:
        row = (await connection.execute(select(*_COLUMNS, keys.c.hash).where(keys.c.hash == hashed))).one_or_none()
    return _to_key(row) if row is not None and hmac.compare_digest(row.hash, hashed) else None


async def find(db: Database, key_id: str) -> Key | None:
    async with db.read() as connection:
        row = (await connection.execute(select(*_COLUMNS).where(keys.c.id == key_id))).one_or_none()
    return _to_key(row) if row else None


async def page(
    db: Database, *, owner: str | None, cursor: str | None = None, limit: int = 50
) -> tuple[list[Key], str | None]:
    """Newest first, revoked ones too, and the cursor of the next page. ``owner`` None: of everybody."""
    query = select(*_COLUMNS).order_by(keys.c.id.desc()).limit(limit + 1)
    if owner is not None:
        query = query.where(keys.c.owner == owner)
    if cursor is not None:
        query = query.where(keys.c.id < cursor)
    async with db.read() as connection:
        found = [_to_key(row) for row in await connection.execute(query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def revoke(db: Database, key_id: str, *, owner: str | None = None, by: By = By()) -> Key | None:
    """End a key for good; once more does nothing. None when ``owner`` (None: anybody) has no such key."""
    async with db.write() as tx:
        query = select(*_COLUMNS).where(keys.c.id == key_id).with_for_update()
        row = (await tx.execute(query if owner is None else query.where(keys.c.owner == owner))).one_or_none()
        if row is None:
            return None
        if row.revoked_at is None:
            await tx.execute(update(keys).where(keys.c.id == key_id).values(revoked_at=now()))
            told = {"name": row.name, "for": row.owner}
            await audit.note(tx, "key.revoked", owner=by.owner, key_id=by.key_id, target=key_id, data=told)
            row = (await tx.execute(select(*_COLUMNS).where(keys.c.id == key_id))).one()
    return _to_key(row)


async def exist(db: Database) -> bool:
    """Whether a key was ever made. Revoked ones count: to revoke the last key does not open the service."""
    async with db.read(few=True) as connection:
        return await connection.scalar(_ANY) is not None


async def ready(db: Database) -> bool:
    """Whether there is a table for them yet."""
    async with db.read() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).has_table(keys.name))


async def touch(db: Database, key_id: str) -> None:
    """Note that a key is used, if that was not noted within the last minute."""
    at = now()
    old = or_(keys.c.last_used_at.is_(None), keys.c.last_used_at <= at - timedelta(seconds=TOUCH))
    async with db.write() as tx:
        await tx.execute(update(keys).where(keys.c.id == key_id, old).values(last_used_at=at))
