"""A migrated database of the test's own, on each of the servers that the records run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pixelmill.records import Database, migrate


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await migrate(database)
    yield database
    await database.close()
