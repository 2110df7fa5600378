"""Fetching an original that did not come with its request: from a URL, or from elsewhere in storage.

The bytes go to storage while they are counted, hashed and looked at, as those of an upload do, under a key of this
try's own. They are recorded under the try's token before anything is made of them: the next try finds them there.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from pixelmill.errors import PixelmillError
from pixelmill.imaging.sniff import HEAD
from pixelmill.outbound import Guard
from pixelmill.pipeline.receive import Receiving
from pixelmill.records import Database, work
from pixelmill.records.claims import Claim, Fenced
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys


class Fetcher:
    """Fetches for one worker process."""

    def __init__(self, database: Database, storage: Storage, settings: Settings, guard: Guard | None = None) -> None:
        self._database = database
        self._storage = storage
        self._settings = settings
        self._guard = guard or Guard.of(settings)

    async def fetch(self, held: Claim) -> Claim:
        """Store what ``held.source`` points to, and record it: the claim with its key.

        Raises PixelmillError. For good: ``source-refused``, ``address-refused``, ``too-large``, ``empty-file``,
        ``unsupported-format``. For now: ``source-unavailable``. Also OSError, and Fenced; nothing is left behind then.
        """
        assert held.source is not None
        key = keys.fetched(held.batch_id, held.image_id, held.token)
        most = min(self._settings.max_file_bytes, held.source.get("bytes") or self._settings.max_file_bytes)
        file = Receiving(held.image_id, "", await self._storage.create(key), most, key=key)
        try:
            async with aclosing(self._bytes(held.source)) as chunks:
                async for chunk in chunks:
                    await file.write(chunk)
                    if file.error:
                        break
            await file.close()
            if file.error:
                raise file.error
        except BaseException:
            with contextlib.suppress(OSError):
                await file.discard()
            raise
        assert file.format
        try:
            held = await work.fetched(
                self._database, held, key=key, bytes=file.bytes, sha256=file.sha256, format=file.format
            )
        except Fenced:
            # After any other error it may be recorded: then the sweep of ended tries decides.
            with contextlib.suppress(OSError):
                await self._storage.delete([key])
            raise
        if held.source and held.source.get("upload"):
            # From here on whoever still holds leave to store it again changes nothing of ours.
            with contextlib.suppress(OSError):
                await self._storage.delete([held.source["key"]])
        return held

    async def _bytes(self, source: dict[str, str]) -> AsyncGenerator[bytes, None]:
        if "url" in source:
            found = self._guard.download(
                source["url"], most_bytes=self._settings.max_file_bytes, seconds=self._settings.fetch_seconds
            )
            async with aclosing(found) as chunks:
                async for chunk in chunks:
                    yield chunk
        else:
            try:
                async for chunk in self._storage.read(source["key"]):
                    yield chunk
            except FileNotFoundError:
                raise PixelmillError("source-refused", "It is no longer in storage.") from None


async def head(storage: Storage, key: str) -> bytes:
    """The first bytes of an object, enough to tell its format. Raises FileNotFoundError."""
    return b"".join([chunk async for chunk in storage.read(key, 0, HEAD)])
