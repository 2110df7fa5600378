"""The interface of storage.

Keys are relative, of ASCII letters, digits and ``-_./`` only, and never hold a client's name. A key is written once:
each try of each variant has a key of its own, so nothing depends on conditional writes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Stat:
    """``bytes`` is the size; ``modified`` seconds since the epoch."""

    key: str
    bytes: int
    modified: float


@dataclass(frozen=True, slots=True)
class Presigned:
    """A request that a client may send to the object store itself.

    ``PUT``: to ``url`` with ``headers`` and the bytes as its body. ``POST``: multipart/form-data to ``url``, with
    ``fields`` in their order and then the bytes in the field ``file``.
    """

    method: Literal["PUT", "POST"]
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


class Digest(Protocol):
    """As of :mod:`hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None: ...


class Writer(Protocol):
    """A file being written; nobody sees it before :meth:`commit` has returned."""

    def feed(self, digest: Digest) -> None:
        """Have ``digest`` fed with all that is written, where it is written: it is ready after :meth:`commit`."""

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

    async def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """The object as a seekable file with a descriptor (a decoder maps it).

        Where its bytes come over a network they are compared with ``sha256`` (hex), if given. Raises
        FileNotFoundError; OSError when storage fails or the bytes are others.
        """

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``, in chunks. Raises FileNotFoundError."""

    def path(self, key: str) -> Path | None:
        """The file itself where there is one (the server then sends it by the kernel)."""

    async def stat(self, key: str) -> Stat | None: ...

    def list(self, prefix: str) -> AsyncIterator[Stat]:
        """Everything under ``prefix`` (a plain string prefix), in no order."""

    def walk(self, after: str = "") -> AsyncIterator[Stat]:
        """Everything whose key follows ``after``, in the order of keys, whatever others have called it."""

    def read_any(self, key: str) -> AsyncGenerator[bytes, None]:
        """:meth:`read` for a key that :meth:`walk` gave. Raises FileNotFoundError."""

    async def delete(self, targets: Iterable[str]) -> None:
        """Delete; what is not there is no error."""

    async def delete_prefix(self, prefix: str, *, keep: Collection[str] = ()) -> int:
        """Delete all under ``prefix``, half-written files too, but not the keys to ``keep``; how many."""

    async def check(self) -> None:
        """Ask whether it can be used. Raises ``storage-unavailable`` with a sentence that names the setting to mend."""

    async def presign_get(
        self,
        key: str,
        *,
        seconds: float,
        filename: str | None = None,
        content_type: str | None = None,
        inline: bool = False,
    ) -> str | None:
        """A URL from which a client may fetch ``key`` for ``seconds``, seven days at most.

        It is saved as ``filename``, or shown if ``inline``. None where this storage cannot: then we send the bytes.
        """

    async def presign_put(self, key: str, *, seconds: float, content_type: str, bytes: int) -> Presigned | None:
        """Leave to store exactly ``bytes`` bytes of this type under ``key``; None where we must take them ourselves."""

    async def presign_post(self, key: str, *, seconds: float, content_type: str, bytes: int) -> Presigned | None:
        """As :meth:`presign_put` by an HTML form, for 1 to ``bytes`` bytes."""

    async def close(self) -> None: ...
