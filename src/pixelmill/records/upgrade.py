"""Bring the database up to this version's tables. Alembic is loaded when it is needed: most processes never do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from pixelmill.errors import PixelmillError
from pixelmill.records.database import Database

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    made.attributes["connection"] = connection
    return made


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(config()).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() != head:
        command.upgrade(config(connection), "head")


async def migrate(db: Database) -> None:
    """Run what is missing; nothing when the database is up to date. Safe to call from several processes on SQLite."""
    async with db.write() as connection:
        await connection.run_sync(_run)


async def check(db: Database) -> None:
    """Raises ``unavailable``, with what to do, where the tables were never made."""
    async with db.read() as connection:
        made = await connection.run_sync(lambda found: inspect(found).has_table("alembic_version"))
    if not made:
        raise PixelmillError(
            "unavailable", "The database has no tables yet. Run `pixelmill migrate`, or start the API with --migrate."
        )
