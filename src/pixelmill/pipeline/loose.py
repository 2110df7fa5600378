"""Deleting results: those of a batch, and those that somebody ceased to use once nobody does."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pixelmill.pipeline.targets import Target
from pixelmill.records import Database, known
from pixelmill.storage import Storage, keys


async def drop_results(storage: Storage, target: Target | None, prefix: str, keep: Collection[str]) -> None:
    """Delete every result under ``prefix`` but those whose keys are in ``keep``, wherever it was sent to as well."""
    if target:
        stored = [stat.key async for stat in storage.list(prefix)]
        await _drop_sent(target, [key for key in stored if key not in keep], keep)
    await storage.delete_prefix(prefix, keep=keep)


async def drop_loose(database: Database, storage: Storage, target: Target | None = None) -> int:
    """Look at every key that is loose; how many were deleted. May be done twice, and by two at a time."""
    deleted = 0
    while found := await known.loose_keys(database):
        unused = [one.key for one in found if not one.used]
        if target:
            await _drop_sent(target, unused, [one.key for one in found if one.used])
        await storage.delete(unused)
        await known.settled(database, [one.id for one in found])
        deleted += len(unused)
    return deleted


async def _drop_sent(target: Target, unused: Iterable[str], used: Iterable[str]) -> None:
    """Before the bytes here: their keys are what is known of those there. Two tries of a variant have one name."""
    names = {keys.name_of(key) for key in unused} - {keys.name_of(key) for key in used}
    if sent := {name for name in names if name}:
        await target.delete(sent)
