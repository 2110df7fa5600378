"""The interface of storage.

Keys are relative, of ASCII letters, digits and ``-_./`` only, and never hold a client's name. A key is written once:
each try of each variant has a key of its own, so nothing depends on conditional writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Stat:
    """``bytes`` is the size; ``modified`` seconds since the epoch."""

    key: str
    bytes: int
    modified: float


class Writer(Protocol):
    """A file being written; nobody sees it before :meth:`commit` has returned."""

    async def write(self, data: bytes | memoryview) -> None: ...

    async def commit(self) -> None:
        """Make it durable and visible."""

    async def abort(self) -> None:
        """Leave nothing behind; may be called at any time and again."""


class Storage(Protocol):
    async def create(self, key: str) -> Writer:
        """Start writing ``key``."""

    async def put(self, key: str, data: bytes | memoryview) -> None:
        """Write ``key`` whole; durable and visible on return."""

    async def open(self, key: str) -> BinaryIO:
        """The object as a seekable file with a descriptor (a decoder maps it). Raises FileNotFoundError."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``, in chunks. Raises FileNotFoundError."""

    def path(self, key: str) -> Path | None:
        """The file itself where there is one (the server then sends it by the kernel)."""

    async def stat(self, key: str) -> Stat | None: ...

    def list(self, prefix: str) -> AsyncIterator[Stat]:
        """Everything under ``prefix`` (a plain string prefix), in no order."""

    async def delete(self, targets: Iterable[str]) -> None:
        """Delete; what is not there is no error."""

    async def delete_prefix(self, prefix: str) -> int:
        """Delete all under ``prefix``, half-written files too; how many."""

    async def close(self) -> None: ...
