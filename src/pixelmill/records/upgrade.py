"""Bring the database up to this version's tables."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pixelmill.records.database import Database


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    made.attributes["connection"] = connection
    return made


def _run(connection: Connection) -> None:
    head = ScriptDirectory.from_config(config()).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() != head:
        command.upgrade(config(connection), "head")


async def migrate(db: Database) -> None:
    """Run what is missing; nothing when the database is up to date. Safe to call from several processes on SQLite."""
    async with db.write() as connection:
        await connection.run_sync(_run)
