"""Storage in an object store: S3 and whatever speaks it, Google Cloud Storage, Azure Blob, all by obstore.

A small object is one PUT; a large one goes up in parts while it arrives, so that memory stays flat. Uploads are
checked by the server: obstore signs the hash of what it sends. Errors come as OSError with the store's own code and
nothing of the request in it, because they end in the record and on the screen.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from pixelmill.storage import keys
from pixelmill.storage.base import Digest, Presigned, Stat, Writer
from pixelmill.storage.disposition import disposition
from pixelmill.storage.leftovers import end_uploads

if TYPE_CHECKING:
    from obstore import AsyncWritableFile, GetOptions
    from obstore.store import ClientConfig, RetryConfig

    from pixelmill.storage.complaints import Complaints
    from pixelmill.storage.sigv4 import Signer

#: Bytes up to which an object is one request, and of one part beyond. S3 takes 10,000 parts: 80 GiB.
PART = 8 * 1024 * 1024
#: Bytes asked of the store at a time when reading.
CHUNK = 1024 * 1024
#: Bytes up to which a fetched object is kept in memory; beyond, in a file without a name.
IN_MEMORY = 64 * 1024 * 1024
#: Keys of one request to delete.
PAGE = 1000

#: A server error, a slow-down or a lost connection is tried again with growing, jittered waits.
RETRIES: RetryConfig = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=45),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=8), "base": 2},
}
#: No limit that a large object on a slow line would meet, but one on silence.
CLIENT: ClientConfig = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "1h"}

# The runtime inside obstore may still tell the interpreter of a finished call while that is being torn down, and
# then the process aborts (PyO3/pyo3-async-runtimes issue 40): at the end it is given a moment.
atexit.register(time.sleep, 0.05)

Store = S3Store | GCSStore | AzureStore


class StoreError(OSError):
    """The store refused or did not answer. ``code`` is its own word for it, ``status`` the HTTP status, 0 if none."""

    def __init__(self, did: str, code: str, status: int) -> None:
        super().__init__(f"{did} failed: {code}")
        self.code = code
        self.status = status


class ObjectStorage:
    """``store`` already has the prefix; ``prefix`` (``""`` or with a slash at its end) is for signed requests.

    ``signer`` signs for clients, ``inside`` for ourselves; both need keys, and are None without.
    """

    def __init__(
        self,
        store: Store,
        *,
        prefix: str,
        probe: Store,
        complaints: Complaints,
        signer: Signer | None = None,
        inside: Signer | None = None,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._probe = probe
        self._complaints = complaints
        self._signer = signer
        self._inside = inside

    def path(self, key: str) -> None:
        keys.check(key)

    async def create(self, key: str) -> Writer:
        return ObjectWriter(self, keys.check(key))

    async def put(self, key: str, data: bytes | memoryview) -> None:
        writer = ObjectWriter(self, keys.check(key))
        await writer.write(data)
        await writer.commit()

    async def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        keys.check(key)
        file: BinaryIO | None = None
        digest = hashlib.sha256()
        try:
            async for chunk, size in self._pieces(key, 0, None):
                if file is None:
                    file = _nameless(size)
                if size > IN_MEMORY:
                    writing = asyncio.ensure_future(asyncio.to_thread(_write, file, chunk))
                    try:
                        await asyncio.shield(writing)
                    except asyncio.CancelledError:
                        await asyncio.wait({writing})  # a descriptor closed under a thread may be another's by then
                        raise
                else:
                    _write(file, chunk)
                if sha256:
                    digest.update(chunk)
            file = file or _nameless(0)
            if sha256 and digest.hexdigest() != sha256:
                raise OSError(f"what storage gave for {key} is not what was stored")
            file.seek(0)
        except BaseException:
            if file:
                file.close()
            raise
        return file

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        async for chunk, _ in self._pieces(keys.check(key), start, end):
            yield bytes(chunk)

    async def _pieces(self, key: str, start: int, end: int | None) -> AsyncIterator[tuple[memoryview, int]]:
        """Chunks, and the size of the whole object. obstore itself goes on where a connection broke."""
        if end is not None and end <= start:
            with _translated("Reading"):
                await obstore.head_async(self._store, key)
            return
        options: GetOptions = {}
        if start or end is not None:
            options["range"] = {"offset": start} if end is None else (start, end)
        try:
            with _translated("Reading"):
                found = await obstore.get_async(self._store, key, options=options)
        except StoreError as error:
            if error.status == 416:  # it ends before ``start``
                return
            raise
        size, left = found.meta["size"], found.range[1] - found.range[0]
        with _translated("Reading"):
            async for chunk in found.stream(CHUNK):
                left -= len(chunk)
                yield memoryview(chunk), size
        if left:
            raise StoreError("Reading", "the answer was cut short", 0)

    async def stat(self, key: str) -> Stat | None:
        keys.check(key)
        try:
            with _translated("Looking up"):
                found = await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return None
        return Stat(key, found["size"], found["last_modified"].timestamp())

    async def list(self, prefix: str) -> AsyncIterator[Stat]:
        # obstore's prefixes end where a path segment does; ours may end within a name
        folder = prefix.rpartition("/")[0]
        where = keys.check(folder) if folder else None
        with _translated("Listing"):
            async for page in obstore.list(self._store, where, chunk_size=PAGE):
                for one in page:
                    if one["path"].startswith(prefix):
                        yield Stat(one["path"], one["size"], one["last_modified"].timestamp())

    async def walk(self, after: str = "") -> AsyncIterator[Stat]:
        with _translated("Listing"):
            async for page in obstore.list(self._store, offset=after or None, chunk_size=PAGE):
                for one in page:
                    yield Stat(one["path"], one["size"], one["last_modified"].timestamp())

    async def read_any(self, key: str) -> AsyncGenerator[bytes, None]:
        async for chunk, _ in self._pieces(key, 0, None):
            yield bytes(chunk)

    async def delete(self, targets: Iterable[str]) -> None:
        names = [keys.check(key) for key in targets]
        for start in range(0, len(names), PAGE):
            page = names[start : start + PAGE]
            try:
                with _translated("Deleting"):
                    await obstore.delete_async(self._store, page)
            except FileNotFoundError:  # Azure and Google say so, and may have stopped there
                for name in page:
                    with contextlib.suppress(FileNotFoundError), _translated("Deleting"):
                        await obstore.delete_async(self._store, name)

    async def delete_prefix(self, prefix: str, *, keep: Collection[str] = ()) -> int:
        found = [stat.key async for stat in self.list(prefix) if stat.key not in keep]
        if found:
            await self.delete(found)
        return len(found) + await self.end_uploads(prefix)

    async def end_uploads(self, prefix: str) -> int:
        """End uploads in parts that a process which is no more began under ``prefix``; how many.

        Where we hold no keys of S3 (a role, Azure, Google) the store's own rule for unfinished uploads does it.
        """
        return await end_uploads(self._inside, self._prefix + prefix) if self._inside else 0

    async def check(self) -> None:
        try:
            with _translated("Listing"):
                async for _ in obstore.list(self._probe, "readyz", chunk_size=1):
                    break
        except FileNotFoundError:
            raise self._complaints.about("NoSuchBucket", 404) from None
        except StoreError as error:
            raise self._complaints.about(error.code, error.status) from None

    async def presign_get(
        self,
        key: str,
        *,
        seconds: float,
        filename: str | None = None,
        content_type: str | None = None,
        inline: bool = False,
    ) -> str | None:
        if self._signer is None:
            return None
        query = {"response-content-disposition": disposition(filename, not inline)} if filename else {}
        if content_type:
            query["response-content-type"] = content_type
        return self._signer.presign("GET", self._prefix + keys.check(key), seconds=seconds, query=query)

    async def presign_put(self, key: str, *, seconds: float, content_type: str, bytes: int) -> Presigned | None:
        if self._signer is None:
            return None
        headers = {"Content-Type": content_type, "Content-Length": str(bytes)}
        url = self._signer.presign("PUT", self._prefix + keys.check(key), seconds=seconds, headers=headers)
        return Presigned("PUT", url, headers)

    async def presign_post(self, key: str, *, seconds: float, content_type: str, bytes: int) -> Presigned | None:
        if self._signer is None:
            return None
        name = self._prefix + keys.check(key)
        fields = self._signer.policy(name, seconds=seconds, content_type=content_type, smallest=1, largest=bytes)
        return Presigned("POST", self._signer.url, fields=fields)

    async def close(self) -> None:
        """Connections are closed with the last reference to them."""


class ObjectWriter:
    """Keeps up to :data:`PART` bytes; what is more goes up in parts, two at a time."""

    def __init__(self, storage: ObjectStorage, key: str) -> None:
        self._storage = storage
        self._store = storage._store
        self._key = key
        self._digest: Digest | None = None
        self._chunks: list[bytes | memoryview] = []
        self._held = 0
        self._parts: AsyncWritableFile | None = None
        self._sent = False
        self._done = False

    def feed(self, digest: Digest) -> None:
        self._digest = digest

    async def write(self, data: bytes | memoryview) -> None:
        if self._digest is not None:
            self._digest.update(data)
        self._chunks.append(data)
        self._held += len(data)
        if self._held > (CHUNK if self._parts else PART):
            await self._flush()

    async def commit(self) -> None:
        try:
            with _translated("Writing"):
                self._sent = True
                if self._parts:
                    await self._flush()
                    await self._parts.close()
                else:
                    await obstore.put_async(self._store, self._key, self._take(), use_multipart=False)
            self._done = True
        except BaseException:
            with contextlib.suppress(OSError):
                await asyncio.shield(asyncio.ensure_future(self.abort()))
            raise

    async def abort(self) -> None:
        if self._done:
            return
        self._done = True
        self._chunks = []
        if self._parts:
            error = asyncio.CancelledError()
            with contextlib.suppress(OSError), _translated("Giving up"):
                await self._parts.__aexit__(type(error), error, None)
            await self._storage.end_uploads(self._key)  # obstore ends none that failed
        if self._sent:
            # It may have been stored although we were not told so.
            await self._storage.delete([self._key])

    async def _flush(self) -> None:
        if self._parts is None:
            self._parts = obstore.open_writer_async(self._store, self._key, buffer_size=PART, max_concurrency=2)
        with _translated("Writing"):
            await self._parts.write(self._take())

    def _take(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks, self._held = [], 0
        return data


@contextmanager
def _translated(did: str) -> Iterator[None]:
    """obstore's errors as OSError, without the request and its signature that obstore puts in their text."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError("not in storage") from None
    except (BaseError, OSError) as error:
        text = str(error)
        status = re.search(r"status code: (\d+)|status: (\d+),", text)
        code = re.search(r"<Code>(\w+)</Code>", text)
        number = int(next(filter(None, status.groups()))) if status else 0
        if code:
            word = code[1]
        elif "Wanted range starting at" in text:  # Azurite answers 206 where Azure answers 416
            word, number = "InvalidRange", 416
        elif "169.254.169.254" in text or "metadata" in text:
            word = "NoCredentials"
        elif number:
            word = f"HTTP status {number}"
        else:
            word = "no answer" if "error sending request" in text or "HTTP error" in text else type(error).__name__
        raise StoreError(did, word, number) from None


def _nameless(size: int) -> BinaryIO:
    """An empty file that is gone when it is closed: in memory where it is small and the system can do that."""
    if size <= IN_MEMORY and hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("original", os.MFD_CLOEXEC), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _write(file: BinaryIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]
