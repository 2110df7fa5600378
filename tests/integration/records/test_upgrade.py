from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from pixelmill.records import Database, migrate
from pixelmill.records.tables import metadata


async def test_the_migrations_make_exactly_the_tables_of_the_code(db: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with db.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(db: Database) -> None:
    await migrate(db)
