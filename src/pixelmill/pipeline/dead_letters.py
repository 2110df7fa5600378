"""Dead letters: have them done again, or delete what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable

from pixelmill.errors import PixelmillError
from pixelmill.pipeline.ending import replay
from pixelmill.pipeline.loose import drop_loose
from pixelmill.queue import Queue
from pixelmill.records import Database, dead_letters
from pixelmill.records.keys import By
from pixelmill.records.models import Image
from pixelmill.storage import Storage, keys


async def replay_many(database: Database, queue: Queue, found: Iterable[Image]) -> tuple[int, int]:
    """How many are done again, and how many cannot be (any more)."""
    replayed = skipped = 0
    for image in found:
        try:
            await replay(database, queue, image.id)
            replayed += 1
        except PixelmillError as error:
            if error.code not in ("conflict", "not-found"):
                raise
            skipped += 1
    return replayed, skipped


async def purge(database: Database, storage: Storage, queue: Queue, image_id: str, *, by: By) -> None:
    """Delete an image's original and whatever was made of it and nobody else uses.

    Raises ``not-found`` or ``conflict``.
    """

    async def delete(image: Image, keep: frozenset[str]) -> None:
        # What lies elsewhere is a bucket's own, and stays.
        if image.key and image.key.startswith(("originals/", "uploads/")):
            await storage.delete([image.key])
        await storage.delete_prefix(f"{keys.processed(image.batch_id)}{image.id}/", keep=keep)

    batch_id = await dead_letters.purge(database, image_id, by, delete)
    await drop_loose(database, storage)
    queue.ring([batch_id])


async def purge_many(database: Database, storage: Storage, queue: Queue, found: Iterable[Image], *, by: By) -> int:
    """How many were purged; one that has been replayed in between is left alone."""
    purged = 0
    for image in found:
        try:
            await purge(database, storage, queue, image.id, by=by)
            purged += 1
        except PixelmillError as error:
            if error.code not in ("conflict", "not-found"):
                raise
    return purged
