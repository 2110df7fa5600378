"""Bring the database up to this version's tables. Alembic is loaded when it is needed: most processes never do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from pixelmill.errors import PixelmillError
from pixelmill.records.database import Database

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).with_name("migrations")
_TABLE = "alembic_version"


def config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def _run(connection: Connection) -> None:
    if not _is_current(connection):
        from alembic import command

        command.upgrade(config(connection), "head")


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(_TABLE):
        return False
    return connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalars().all() == [_newest()]  # noqa: S608


def _newest() -> str:
    """The last revision: each is a file that begins with its number."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


async def migrate(db: Database) -> None:
    """Run what is missing; nothing when the database is up to date. Safe to call from several processes on SQLite."""
    async with db.write() as connection:
        await connection.run_sync(_run)


async def is_current(db: Database) -> bool:
    """Whether :func:`migrate` has nothing to do."""
    async with db.read() as connection:
        return bool(await connection.run_sync(_is_current))


async def check(db: Database) -> None:
    """Raises ``unavailable``, with what to do, where the tables were never made."""
    async with db.read() as connection:
        made = await connection.run_sync(lambda found: inspect(found).has_table(_TABLE))
    if not made:
        raise PixelmillError(
            "unavailable", "The database has no tables yet. Run `pixelmill migrate`, or start the API with --migrate."
        )
