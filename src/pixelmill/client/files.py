"""What is uploaded: files from disk, bytes, open files and members of ZIPs, streamed as one multipart form."""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, Protocol, TypeAlias, cast, runtime_checkable

CHUNK = 64 * 1024

#: Called with the bytes sent so far and those of the whole request; starts anew when the request is repeated.
OnProgress: TypeAlias = Callable[[int, int], None]


@runtime_checkable
class Source(Protocol):
    """A file to send. ``open`` gives its bytes from the start, each time; the result is closed after use."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def open(self) -> AbstractContextManager[IO[bytes]]: ...


#: A path, ``(name, bytes or seekable open file)``, or a :class:`Source`.
File: TypeAlias = "str | os.PathLike[str] | tuple[str, bytes | IO[bytes]] | Source"


@dataclass(frozen=True)
class OnDisk:
    path: Path
    size: int

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> AbstractContextManager[IO[bytes]]:
        return self.path.open("rb")


@dataclass(frozen=True)
class InMemory:
    name: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> AbstractContextManager[IO[bytes]]:
        return io.BytesIO(self.data)


@dataclass(frozen=True)
class Opened:
    """From where it stands now to its end; it stays open, for it is its owner's."""

    name: str
    file: IO[bytes]
    start: int
    size: int

    def open(self) -> AbstractContextManager[IO[bytes]]:
        self.file.seek(self.start)
        return nullcontext(self.file)


@dataclass(frozen=True)
class ZipMember:
    """One file of a ZIP, unpacked while it is sent."""

    archive: Path
    member: str
    size: int

    @property
    def name(self) -> str:
        return PurePath(self.member).name

    def open(self) -> AbstractContextManager[IO[bytes]]:
        # The member keeps the archive open until it is closed itself.
        with zipfile.ZipFile(self.archive) as archive:
            return archive.open(self.member)


def sources(files: File | Iterable[File]) -> list[Source]:
    """Raises OSError for what cannot be read."""
    if isinstance(files, str | os.PathLike | Source) or _is_pair(files):
        files = [cast(File, files)]
    return [_source(one) for one in cast("Iterable[File]", files)]


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and not isinstance(value[1], str | os.PathLike | tuple | Source)
    )


def _source(file: File) -> Source:
    if isinstance(file, tuple):
        name, content = file
        if isinstance(content, bytes):
            return InMemory(name, content)
        start = content.tell()
        return Opened(name, content, start, content.seek(0, os.SEEK_END) - start)
    if isinstance(file, str | os.PathLike):
        path = Path(file)
        with path.open("rb") as opened:  # a folder, or what may not be read, is told here
            return OnDisk(path, os.fstat(opened.fileno()).st_size)
    return file


class Form:
    """multipart/form-data (RFC 7578) whose length is known before the first byte is read."""

    def __init__(self, fields: Mapping[str, str], files: Iterable[Source], on_progress: OnProgress | None) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._files = [
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="{_quoted(file.name)}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n".encode(),
                file,
            )
            for file in files
        ]
        self._fields = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ).encode()
        self._end = f"--{boundary}--\r\n".encode()
        self._told = on_progress
        self.length = len(self._fields) + sum(len(head) + file.size + 2 for head, file in self._files) + len(self._end)

    def sent(self, bytes_: int) -> None:
        if self._told is not None:
            self._told(bytes_, self.length)

    def chunks(self) -> Iterator[bytes]:
        # Fields first: what they show to be wrong is refused before the files are sent.
        if self._fields:
            yield self._fields
        for head, file in self._files:
            yield head
            left = file.size
            with file.open() as opened:
                while left and (chunk := opened.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
            if left:
                raise OSError(f"{file.name} became shorter while it was sent")
            yield b"\r\n"
        yield self._end


def _quoted(name: str) -> str:
    """As browsers write it (WHATWG HTML, 4.10.21.8)."""
    safe = name.encode("utf-8", "replace").decode()
    return safe.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
