from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pixelmill.records import Database, is_current, migrate, upgrade
from pixelmill.records.tables import metadata


async def test_the_migrations_make_exactly_the_tables_of_the_code(db: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with db.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(db: Database) -> None:
    await migrate(db)
    assert await is_current(db)


async def test_an_empty_database_and_an_older_one_are_not_current(database_url: str) -> None:
    db = Database(database_url)
    try:
        assert not await is_current(db)
        await migrate(db)
        assert await is_current(db)
        async with db.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        assert not await is_current(db)
    finally:
        await db.close()


def test_the_newest_revision_is_the_one_that_alembic_ends_with() -> None:
    assert upgrade._newest() == ScriptDirectory.from_config(upgrade.config()).get_current_head()
