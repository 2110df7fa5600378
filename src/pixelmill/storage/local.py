"""Storage in a local folder.

A file is written beside its place under a hidden name, renamed, and synced with the folders that name it: it is whole
or not there, and when it was said to be there it is so after a power cut too. To sync last, and the file first, costs a
file system with a journal one wait instead of three. Work on the disk runs in threads, a mebibyte or more at a time, so
that the event loop never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pixelmill.disk import Disk
from pixelmill.errors import PixelmillError
from pixelmill.storage import keys
from pixelmill.storage.base import Digest, Stat, Writer
from pixelmill.tasks import look_at_error

CHUNK = 1024 * 1024
_PART = ".part"


class LocalWriter:
    """Collects chunks and writes them a mebibyte at a time; a small file costs one trip to a thread in all."""

    def __init__(self, target: Path, disk: Disk) -> None:
        self._target = target
        self._part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PART}")
        self._disk = disk
        self._digest: Digest | None = None
        self._chunks: list[bytes | memoryview] = []
        self._held = 0
        self._fd = -1
        self._changed: list[Path] = []
        self._done = False
        # Whoever is canceled while a thread works for it goes on to abort, beside that thread, and beside the end.
        self._lock = threading.Lock()
        self._ending: asyncio.Task[None] | None = None

    def feed(self, digest: Digest) -> None:
        self._digest = digest

    async def write(self, data: bytes | memoryview) -> None:
        self._chunks.append(data)
        self._held += len(data)
        if self._held >= CHUNK:
            await asyncio.to_thread(self._flush)

    async def commit(self) -> None:
        """Once begun it goes to its end, also when the caller is canceled; who calls again waits for the same end."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
            self._ending.add_done_callback(look_at_error)
        await asyncio.shield(self._ending)

    async def abort(self) -> None:
        if self._ending is not None and not self._ending.done():
            await asyncio.wait({self._ending})
        if not self._done:
            await asyncio.to_thread(self._abort)

    async def _end(self) -> None:
        try:
            folders = await asyncio.to_thread(self._put_in_place)
            syncs = self._disk.fdatasync(self._fd), *map(self._disk.fsync, folders)
            # All to their end before anything is closed: a number would soon be another file's.
            ends = await asyncio.gather(*syncs, return_exceptions=True)
            for fd in folders:
                os.close(fd)
            for end in ends:
                if end is not None:
                    raise end
            self._close()
            self._done = True
        except BaseException:
            await asyncio.to_thread(self._abort)
            raise

    def _close(self) -> None:
        fd, self._fd = self._fd, -1  # once, whatever comes of it
        os.close(fd)

    def _flush(self) -> None:
        with self._lock:
            self._write_out()

    def _write_out(self) -> None:
        if self._done:
            raise ValueError("this file is over")
        if self._fd < 0:
            self._open()
        chunks, self._chunks, self._held = self._chunks, [], 0
        for chunk in chunks:
            if self._digest is not None:
                self._digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._fd, view) :]

    def _open(self) -> None:
        """Open the file, in folders that are made for it."""
        for _ in range(10):
            # A folder that was there a moment ago may be gone: whoever deletes the last file in it takes it along.
            try:
                self._fd = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
                return
            except FileNotFoundError:
                with contextlib.suppress(FileNotFoundError):
                    self._changed += _make_folders(self._target.parent)
        raise FileNotFoundError(errno.ENOENT, "Its folder cannot be made", str(self._target.parent))

    def _put_in_place(self) -> list[int]:
        """Write the rest and give it its name. The folders that have to be synced too, open."""
        with self._lock, contextlib.ExitStack() as opened:
            self._write_out()
            self._part.replace(self._target)
            self._part = self._target
            folders = []
            for folder in {self._target.parent, *self._changed}:
                folders.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                opened.callback(os.close, folders[-1])
            opened.pop_all()
        return folders

    def _abort(self) -> None:
        with self._lock:
            if not self._done:
                self._drop()

    def _drop(self) -> None:
        self._done = True
        self._chunks = []
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._close()
        self._part.unlink(missing_ok=True)


class LocalStorage:
    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._root.mkdir(parents=True, exist_ok=True)
        self._disk = Disk()

    @property
    def root(self) -> Path:
        return self._root

    def path(self, key: str) -> Path:
        return self._root / keys.check(key)

    async def create(self, key: str) -> Writer:
        return LocalWriter(self.path(key), self._disk)

    async def put(self, key: str, data: bytes | memoryview) -> None:
        writer = LocalWriter(self.path(key), self._disk)
        writer._chunks.append(data)
        await writer.commit()

    async def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        path = self.path(key)

        def work() -> BinaryIO:
            return path.open("rb")

        opening = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)  # the thread goes on, and nobody else has what it opens
            raise

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        file = await self.open(key)
        try:
            await asyncio.to_thread(file.seek, start)
            left = (os.fstat(file.fileno()).st_size if end is None else end) - start
            while left > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
        finally:
            file.close()

    async def stat(self, key: str) -> Stat | None:
        try:
            found = await asyncio.to_thread(os.stat, self.path(key))
        except FileNotFoundError:
            return None
        return Stat(key, found.st_size, found.st_mtime)

    async def list(self, prefix: str) -> AsyncIterator[Stat]:
        for path in await asyncio.to_thread(lambda: [*self._under(prefix)]):
            if not path.name.endswith(_PART):
                with contextlib.suppress(FileNotFoundError):
                    found = await asyncio.to_thread(path.stat)
                    yield Stat(path.relative_to(self._root).as_posix(), found.st_size, found.st_mtime)

    async def walk(self, after: str = "") -> AsyncIterator[Stat]:
        def names() -> list[str]:
            return sorted(path.relative_to(self._root).as_posix() for path in self._under(""))

        for name in await asyncio.to_thread(names):
            if name > after and not name.endswith(_PART):
                with contextlib.suppress(FileNotFoundError):
                    found = await asyncio.to_thread(os.stat, self._root / name)
                    yield Stat(name, found.st_size, found.st_mtime)

    async def read_any(self, key: str) -> AsyncGenerator[bytes, None]:
        file = await asyncio.to_thread((self._root / key).open, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
        finally:
            file.close()

    async def delete(self, targets: Iterable[str]) -> None:
        await asyncio.to_thread(self._delete, [self.path(key) for key in targets])

    async def delete_prefix(self, prefix: str, *, keep: Collection[str] = ()) -> int:
        def work() -> int:
            stay = {self.path(key) for key in keep}
            paths = [path for path in self._under(prefix) if path not in stay]
            self._delete(paths)
            return len(paths)

        return await asyncio.to_thread(work)

    async def check(self) -> None:
        def work() -> None:
            # Writing tells more than the mode: a full disk, a read-only mount, another user's folder.
            with tempfile.TemporaryFile(dir=self._root) as probe:
                probe.write(b"x")

        try:
            await asyncio.to_thread(work)
        except OSError as error:
            detail = f"The folder {self._root} cannot be written ({error.strerror}): see PIXELMILL_DATA_DIR."
            raise PixelmillError("storage-unavailable", detail) from None

    async def presign_get(
        self,
        key: str,
        *,
        seconds: float,
        filename: str | None = None,
        content_type: str | None = None,
        inline: bool = False,
    ) -> None:
        return None

    async def presign_put(self, key: str, *, seconds: float, content_type: str, bytes: int) -> None:
        return None

    async def presign_post(self, key: str, *, seconds: float, content_type: str, bytes: int) -> None:
        return None

    async def close(self) -> None:
        await self._disk.close()

    def _under(self, prefix: str) -> Iterator[Path]:
        """Every file whose key starts with ``prefix``, half-written ones (hidden beside their place) included."""
        folder, _, stem = prefix.rpartition("/")
        start = self._root / keys.check(folder) if folder else self._root
        for directory, names, files in os.walk(start):
            here = Path(directory)
            if here == start:
                names[:] = [name for name in names if name.startswith(stem)]
                files = [name for name in files if name.lstrip(".").startswith(stem)]
            yield from (here / name for name in files)

    def _delete(self, paths: Iterable[Path]) -> None:
        parents = set()
        for path in paths:
            path.unlink(missing_ok=True)
            parents.add(path.parent)
        for folder in sorted(parents, key=lambda path: -len(path.parts)):
            # An emptied folder goes too; one that is not empty, or in which a file just appears, stays.
            while folder not in (self._root, self._root.parent):
                try:
                    folder.rmdir()
                except OSError:
                    break
                folder = folder.parent


def _close_unwanted(opening: asyncio.Task[BinaryIO]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _make_folders(folder: Path) -> list[Path]:
    """Make ``folder``; the folders whose entries changed, which must be synced for the new ones to last."""
    try:
        folder.mkdir()
    except FileExistsError:
        return []
    except FileNotFoundError:
        return _make_folders(folder.parent) + _make_folders(folder)
    return [folder.parent]
