"""Results that somebody ceased to use are deleted once nobody does."""

from __future__ import annotations

from pixelmill.records import Database, known
from pixelmill.storage import Storage


async def drop_loose(database: Database, storage: Storage) -> int:
    """Look at every key that is loose; how many were deleted. May be done twice, and by two at a time."""
    deleted = 0
    while found := await known.loose_keys(database):
        unused = [one.key for one in found if not one.used]
        await storage.delete(unused)
        await known.settled(database, [one.id for one in found])
        deleted += len(unused)
    return deleted
