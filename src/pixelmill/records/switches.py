"""What an operator has switched on. The queue obeys Redis; this is what remembers the wish when Redis has lost it."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from pixelmill.records.database import Database
from pixelmill.records.tables import now, switches

#: Workers are to take nothing new.
PAUSED = "paused"


async def is_on(db: Database, name: str) -> bool:
    async with db.read() as connection:
        return (await connection.execute(select(switches.c.name).where(switches.c.name == name))).first() is not None


async def turn(db: Database, name: str, *, on: bool) -> None:
    """On or off; what is so already stays as it is."""
    if not on:
        async with db.write() as tx:
            await tx.execute(delete(switches).where(switches.c.name == name))
    elif not await is_on(db, name):
        try:
            async with db.write() as tx:
                await tx.execute(insert(switches).values(name=name, since=now()))
        except IntegrityError:
            pass  # somebody else was quicker
