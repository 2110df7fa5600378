"""Files that arrive on their own: by a ticket or by tus, to be taken by a batch later.

What a client sends to us goes to storage in pieces, each an object of its own: a piece is durable before the record's
offset passes it, so the offset tells the truth after any crash, and any API process can go on where another one
stopped, on any storage. When all has come, the pieces are copied into one object; an upload that came in one piece is
that object already.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from pixelmill.errors import PixelmillError
from pixelmill.imaging.sniff import HEAD, sniff
from pixelmill.pipeline.fetch import head
from pixelmill.pipeline.presence import Presence, new_id
from pixelmill.pipeline.receive import Receiving
from pixelmill.records import Database, uploads
from pixelmill.records.models import Upload
from pixelmill.records.tables import now
from pixelmill.settings import Settings
from pixelmill.storage import Storage, Writer, keys

log = structlog.stdlib.get_logger(__name__)

#: Bytes of one piece: one request to an object store, and the most that is lost when a process is killed.
PIECE = 8 * 1024 * 1024
#: Most pieces of one upload: a client that sends a few bytes in each request is not to fill the record.
MOST_PIECES = 10_000

#: What each format is called on the wire.
TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "heic": "image/heic",
    "tiff": "image/tiff",
    "jxl": "image/jxl",
    "svg": "image/svg+xml",
}
#: Makes a hash, as :func:`hashlib.sha256` does.
Hash = Callable[[], "hashlib._Hash"]


class Uploads:
    """Takes uploads in, for one API process."""

    def __init__(self, database: Database, storage: Storage, settings: Settings, presence: Presence) -> None:
        self._database = database
        self._storage = storage
        self._settings = settings
        self._presence = presence
        self._writing: set[str] = set()

    def until(self) -> datetime:
        """When an upload ends whose bytes come now."""
        return now() + timedelta(seconds=self._settings.upload_expire_seconds)

    async def put(
        self, upload_id: str, body: AsyncIterator[bytes], content_type: str | None, size: int | None
    ) -> Upload:
        """Store the one body that a ticket's file is. ``size``: as its Content-Length announces.

        Raises PixelmillError: ``conflict`` when it is there already, ``locked``, ``upload-expired``, ``not-found``,
        ``wrong-size``, ``too-large``, ``empty-file``, ``unsupported-media-type``, ``unsupported-format``,
        ``storage-unavailable``. Nothing is left behind then, and it may be tried again.
        """
        async with self._held(upload_id) as (upload, token):
            if upload.kind != "put" or upload.state != "open":
                raise PixelmillError("conflict", "This upload is complete; a ticket's address is good for one file.")
            _fits(upload, content_type, size)
            key = keys.whole(upload_id, token)
            file = Receiving(upload_id, "", await self._create(key), upload.length, key=key)
            try:
                with _stored():
                    async for chunk in body:
                        await file.write(chunk)
                        if file.error:
                            raise file.error
                    _exactly(upload, file.bytes)
                    await file.close()
                if file.error:
                    raise file.error
                _is_of(upload, file.format)
            except BaseException:
                await self._discard(file.discard)
                await self._delete([key])
                raise
            finished = replace(upload, state="finished", key=key, offset=file.bytes, format=file.format)
            return await self._finish(finished, token, file.sha256)

    async def patch(
        self, upload_id: str, offset: int, body: AsyncIterator[bytes], checksum: tuple[Hash, bytes] | None = None
    ) -> Upload:
        """Append to a tus upload from ``offset`` on; the upload as it is then.

        Of a body that breaks off, what came is kept, unless it has a ``checksum``: then all of it or nothing. Raises
        PixelmillError: ``conflict`` for another offset, ``locked``, ``upload-expired``, ``not-found``,
        ``too-large-request``, ``checksum-mismatch``, ``storage-unavailable``, and what ``body`` raises.
        """
        async with self._held(upload_id) as (upload, token):
            if upload.offset != offset:
                extra = {"offset": upload.offset}
                raise PixelmillError("conflict", f"The next byte to send is number {upload.offset}.", extra)
            if upload.state != "open":
                return upload
            pieces = _Pieces(self, upload, token, checksum)
            with _stored():
                upload = await pieces.receive(body)
                if upload.offset == upload.length:
                    upload = await self._compose(upload, token, pieces.seen if offset == 0 else None)
            return upload

    async def ready(self, upload: Upload) -> Upload:
        """The upload as a batch may take it, completed first where its last request broke off.

        Raises PixelmillError: ``not-ready``, ``conflict``, ``upload-expired``, ``locked``, ``wrong-size``.
        """
        if upload.state == "taken":
            raise PixelmillError("conflict", f"The upload {upload.id} was taken by a batch already.")
        if upload.expires_at <= now():
            raise PixelmillError("upload-expired")
        if upload.state == "finished":
            return upload
        if upload.kind == "direct":
            with _stored():
                return await self._seen(upload)
        if upload.kind == "tus" and upload.offset == upload.length:
            async with self._held(upload.id) as (held, token):
                with _stored():
                    return await self._compose(held, token, None) if held.state == "open" else held
        raise PixelmillError("not-ready", f"The upload {upload.id} is not complete.")

    async def drop(self, upload: Upload) -> None:
        """Give it up. Raises PixelmillError ``conflict`` when a batch has taken it."""
        if not await uploads.drop(self._database, upload.id):
            raise PixelmillError("conflict", "A batch has taken it; delete that.")
        # Whatever is not reached now, the sweep reaches.
        with contextlib.suppress(OSError):
            await self._storage.delete_prefix(keys.upload(upload.id))

    async def _seen(self, upload: Upload) -> Upload:
        """What a client stored itself: its size and its first bytes are looked at, not what was said of them."""
        found = await self._storage.stat(upload.key)
        if found is None:
            raise PixelmillError("not-ready", f"Nothing has been stored yet for the upload {upload.id}.")
        if found.bytes > upload.length:
            raise PixelmillError("too-large", f"It is larger than {upload.length} bytes.")
        _exactly(upload, found.bytes)
        what = sniff(await head(self._storage, upload.key)) if found.bytes else None
        if found.bytes and what:
            _is_of(upload, what)
        return replace(upload, offset=found.bytes, format=what)

    async def _compose(self, upload: Upload, token: str, seen: _Seen | None) -> Upload:
        """Make one object of the pieces. ``seen``: what the one piece that it is was seen to be."""
        pieces = [(str(key), int(size)) for key, size in upload.metadata["pieces"]]
        seen = seen if seen and len(pieces) == 1 else None
        if len(pieces) == 1 and seen:
            return await self._finish(replace(upload, key=pieces[0][0], format=seen.format), token, seen.sha256)
        key = keys.whole(upload.id, token)
        writer = await self._create(key)
        seen = _Seen()
        try:
            for piece, size in pieces:
                got = 0
                async for chunk in self._storage.read(piece):
                    got += len(chunk)
                    seen.update(chunk)
                    await writer.write(chunk)
                if got != size:
                    raise OSError(f"the piece {piece} has {got} bytes instead of {size}")
            await writer.commit()
        except BaseException:
            await self._discard(writer.abort)
            raise
        finished = await self._finish(replace(upload, key=key, format=seen.format), token, seen.sha256)
        await self._delete([piece for piece, _ in pieces])
        return finished

    async def _finish(self, upload: Upload, token: str, sha256: str) -> Upload:
        until = self.until()
        done = await uploads.finish(
            self._database,
            upload.id,
            token,
            key=upload.key,
            bytes=upload.offset,
            sha256=sha256,
            format=upload.format,
            expires_at=until,
        )
        if not done:
            await self._delete([upload.key])
            raise _given_up()
        return replace(upload, state="finished", sha256=sha256, expires_at=until, token=None, process_id=None)

    @asynccontextmanager
    async def _held(self, upload_id: str) -> AsyncIterator[tuple[Upload, str]]:
        """The upload, for this request alone to write while the block runs."""
        token = new_id()
        self._writing.add(token)
        try:
            yield (
                await uploads.hold(self._database, upload_id, token, self._presence.id, writing=self._writing),
                token,
            )
        finally:
            self._writing.discard(token)
            await asyncio.shield(asyncio.ensure_future(self._release(upload_id, token)))

    async def _release(self, upload_id: str, token: str) -> None:
        # If the record does not answer: this process knows its tokens, and the next request takes over.
        with contextlib.suppress(PixelmillError):
            await uploads.release(self._database, upload_id, token)

    async def _create(self, key: str) -> Writer:
        with _stored():
            return await self._storage.create(key)

    async def _delete(self, found: Sequence[str]) -> None:
        with contextlib.suppress(OSError):
            await self._storage.delete(found)

    @staticmethod
    async def _discard(discard: Callable[[], Awaitable[None]]) -> None:
        async def work() -> None:
            with contextlib.suppress(OSError):
                await discard()

        await asyncio.shield(asyncio.ensure_future(work()))


class _Seen:
    """What bytes are, seen as they pass."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._head = b""

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def format(self) -> str | None:
        return sniff(self._head) if self._head else None


class _Pieces:
    """The body of one request on its way into pieces."""

    def __init__(self, to: Uploads, upload: Upload, token: str, checksum: tuple[Hash, bytes] | None) -> None:
        self.seen = _Seen()
        self._to = to
        self._upload = upload
        self._token = token
        self._sum = checksum[0]() if checksum else None
        self._wanted = checksum[1] if checksum else b""
        self._end = upload.offset
        self._writer: Writer | None = None
        self._key = ""
        self._held = 0
        self._whole: list[tuple[str, int]] = []
        self._unsure = False

    async def receive(self, body: AsyncIterator[bytes]) -> Upload:
        """Store all of it; the upload with its new offset, which is recorded."""
        try:
            async for chunk in body:
                await self._write(memoryview(chunk))
            if self._sum and self._sum.digest() != self._wanted:
                raise PixelmillError("checksum-mismatch")
            await self._close_piece()
            await self._record()
        except BaseException as error:
            await asyncio.shield(asyncio.ensure_future(self._stop(error)))
            raise
        return self._upload

    async def _write(self, data: memoryview) -> None:
        if self._end + len(data) > self._upload.length:
            raise PixelmillError("too-large-request", f"The upload was announced with {self._upload.length} bytes.")
        self.seen.update(bytes(data))
        if self._sum:
            self._sum.update(data)
        while data:
            if self._writer is None:
                if len(self._upload.metadata["pieces"]) + len(self._whole) >= MOST_PIECES:
                    raise PixelmillError("bad-request", f"It came in {MOST_PIECES} pieces; send larger ones.")
                self._key = keys.piece(self._upload.id, self._token, self._end)
                self._writer = await self._to._storage.create(self._key)
            part = data[: PIECE - self._held]
            await self._writer.write(part)
            data = data[len(part) :]
            self._held += len(part)
            self._end += len(part)
            if self._held == PIECE:
                await self._close_piece()
                if not self._sum:
                    await self._record()

    async def _close_piece(self) -> None:
        if self._writer is not None:
            await self._writer.commit()
            self._whole.append((self._key, self._held))
            self._writer, self._held = None, 0

    async def _record(self) -> None:
        """From here on the stored pieces count."""
        if not self._whole:
            return
        was, until = self._upload, self._to.until()
        known = {**was.metadata, "pieces": [*was.metadata["pieces"], *map(list, self._whole)]}
        self._unsure = True  # until we are told
        done = await uploads.advance(
            self._to._database,
            was.id,
            self._token,
            start=was.offset,
            end=self._end,
            metadata=known,
            expires_at=until,
        )
        self._unsure = False
        if not done:
            raise _given_up()
        self._upload = replace(was, offset=self._end, metadata=known, expires_at=until)
        self._whole = []

    async def _stop(self, error: BaseException) -> None:
        """It broke off: what came before that counts, unless the bytes themselves are wrong or storage is."""
        wrong = isinstance(error, OSError) or (
            isinstance(error, PixelmillError) and error.code not in ("slow-request", "quota-exceeded")
        )
        try:
            if not wrong and not self._sum and not self._unsure:
                await self._close_piece()
                await self._record()
        except (OSError, PixelmillError):
            log.warning("upload.not-kept", upload_id=self._upload.id, exc_info=True)
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.abort()
        if self._unsure:
            return  # whether it was recorded is not known: the sweep decides
        await self._to._delete([key for key, _ in self._whole])


def _given_up() -> PixelmillError:
    return PixelmillError("conflict", "The upload was given up, or another request has taken over.")


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("upload.not-stored", error=str(error))
        raise PixelmillError("storage-unavailable") from error


def _fits(upload: Upload, content_type: str | None, size: int | None) -> None:
    """What the head of the request says must be what the ticket is for."""
    if size is not None and size > upload.length:
        raise PixelmillError("too-large", f"It is larger than {upload.length} bytes.")
    if size is not None:
        _exactly(upload, size)
    wanted = upload.metadata.get("types") or []
    kind = (content_type or "").partition(";")[0].strip().lower()
    if wanted and kind and kind not in wanted:
        raise PixelmillError("unsupported-media-type", f"This ticket is for {', '.join(wanted)}.")


def _exactly(upload: Upload, size: int) -> None:
    if upload.metadata.get("exact") and size != upload.length:
        raise PixelmillError("wrong-size", f"The ticket is for {upload.length} bytes, not {size}.")


def _is_of(upload: Upload, what: str | None) -> None:
    """The bytes decide, not the header."""
    wanted = upload.metadata.get("types") or []
    if wanted and TYPES.get(what or "") not in wanted:
        raise PixelmillError("unsupported-format", f"The ticket is for {', '.join(wanted)}; this is {what}.")
