"""One file on its way into storage, however it comes: counted, hashed, and looked at by its first bytes."""

from __future__ import annotations

import hashlib

from pixelmill.errors import CODES, PixelmillError
from pixelmill.imaging.sniff import sniff
from pixelmill.records import intents
from pixelmill.storage import Writer

#: Bytes looked at to tell the format.
HEAD = 4096
#: Characters of a client's file name that are kept.
NAME = 255


class Receiving:
    """One file as it arrives. What is wrong with it is kept as ``error``; the rest of its bytes are dropped."""

    def __init__(self, image_id: str, name: str, writer: Writer, most: int, *, key: str) -> None:
        self.image_id = image_id
        self.key = key
        self.name = name
        self.bytes = 0
        self.format: str | None = None
        self.error: PixelmillError | None = None
        self._writer = writer
        self._most = most
        self._hash = hashlib.sha256()
        writer.feed(self._hash)
        self._head = b""

    async def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Never raises for what they are."""
        self.bytes += len(data)
        if self.error:
            return
        if self.bytes > self._most:
            await self._refuse("too-large", f"It is larger than {self._most} bytes.")
            return
        if self.format is None and len(self._head) < HEAD:
            self._head += bytes(data[: HEAD - len(self._head)])
            if len(self._head) >= HEAD and not await self._recognise():
                return
        await self._writer.write(data)

    async def close(self) -> None:
        """The file is whole: make it durable. Raises OSError when storage fails."""
        if self.error:
            return
        if self.bytes == 0:
            await self._refuse("empty-file", "The file has no bytes.")
        elif self.format is not None or await self._recognise():
            await self._writer.commit()

    async def discard(self) -> None:
        await self._writer.abort()

    async def _recognise(self) -> bool:
        self.format = sniff(self._head)
        if self.format is None:
            await self._refuse("unsupported-format", CODES["unsupported-format"].advice)
        return self.format is not None

    async def _refuse(self, code: str, detail: str) -> None:
        self.error = PixelmillError(code, detail)
        await self.discard()

    def refusal(self) -> dict[str, str]:
        assert self.error
        return {"originalName": self.name, "code": self.error.code, "detail": self.error.detail}

    @property
    def sha256(self) -> str:
        """Once it is closed."""
        return self._hash.hexdigest()

    def as_image(self) -> intents.NewImage:
        return intents.NewImage(
            id=self.image_id,
            original_name=self.name,
            key=None if self.error else self.key,
            bytes=self.bytes,
            sha256=None if self.error else self.sha256,
            format=self.format,
            error_code=self.error.code if self.error else None,
            reason=self.error.detail if self.error else None,
        )


def clean(name: str) -> str:
    """The last part of a client's file name, without control characters; never used as a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:NAME] or "unnamed"
