"""Every result of a batch as one ZIP, made while it is sent.

Stored, not deflated: images do not get smaller. The standard library's ``zipfile`` writes to a sink that cannot be
rewound; nothing is held but the chunk under way and the list of entries. What grows beyond 2 GB or 65,535 entries
becomes ZIP64 by itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from pixelmill.records import Database, images
from pixelmill.records.models import Batch, Image, State, Variant
from pixelmill.storage import Storage

#: The entry that tells what is in the archive and what is not.
MANIFEST = "manifest.json"
#: Bytes of an entry's name, without number and extension: file systems take 255.
LONGEST = 180

#: Names that Windows keeps for devices, whatever their extension.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\Z", re.IGNORECASE)
#: What no file name may hold on one system or another; what turns the reading direction; halves of characters.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')


def stem(original_name: str) -> str:
    """The client's name without folders and extension, as a name that every file system takes; "image" if none."""
    last = original_name.replace("\\", "/").rpartition("/")[2]
    plain = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", PurePosixPath(last).stem))
    # Windows drops dots and spaces at the end, Unix hides what begins with a dot.
    plain = plain.encode()[:LONGEST].decode("utf-8", "ignore").strip(" .")
    return f"_{plain}" if _DEVICES.match(plain.partition(".")[0]) else plain or "image"


class Names:
    """Gives each entry a name that no other has, also where upper and lower case are the same."""

    def __init__(self) -> None:
        self._given = {MANIFEST}
        self._next: dict[str, int] = {}

    def name(self, original_name: str, variant: str, extension: str) -> str:
        """``holiday-square.jpg``; the next one of that name is ``holiday-square (2).jpg``."""
        first = f"{stem(original_name)}-{variant}"
        name = f"{first}{extension}"
        folded = first.casefold()
        number = self._next.get(folded + extension, 2)
        while unicodedata.normalize("NFC", name.casefold()) in self._given:
            name, number = f"{first} ({number}){extension}", number + 1
        self._next[folded + extension] = number
        self._given.add(unicodedata.normalize("NFC", name.casefold()))
        return name


class _Sink(io.RawIOBase):
    """Takes what ``zipfile`` writes until it is sent."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


@dataclass(frozen=True, slots=True)
class Entry:
    """A result that goes into the archive under ``name``. ``told`` is its line in the manifest."""

    name: str
    key: str
    bytes: int
    made_at: datetime | None
    told: dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """What goes in, settled before the first byte is sent: also while more is being made, its length is known.

    A transfer that breaks off is then seen to be cut short.
    """

    batch: Batch
    entries: list[Entry]
    missing: list[dict[str, Any]]

    @property
    def length(self) -> int:
        """Bytes of the archive, exactly, as ``zipfile`` writes it (PKWARE's APPNOTE 6.3.10, §4.3)."""
        manifest = self._manifest(["0" * 64] * len(self.entries))
        at = directory = 0
        for name, size in [*((one.name, one.bytes) for one in self.entries), (MANIFEST, len(manifest))]:
            huge, far = _is_huge(size), at > zipfile.ZIP64_LIMIT
            named = len(name.encode())
            numbers = 2 * huge + far
            directory += 46 + named + (4 + 8 * numbers if numbers else 0)
            # Header, bytes, and after them CRC and sizes.
            at += 30 + named + 20 * huge + size + (24 if huge else 16)
        full = len(self.entries) + 1 > zipfile.ZIP_FILECOUNT_LIMIT
        large = full or at > zipfile.ZIP64_LIMIT or directory > zipfile.ZIP64_LIMIT
        return at + directory + (76 if large else 0) + 22

    async def stream(self, storage: Storage) -> AsyncGenerator[bytes, None]:
        """Its bytes: every result in the order of the batch, and the manifest last.

        Raises FileNotFoundError for a result that is deleted meanwhile, OSError for one of another size.
        """
        sink = _Sink()
        digests = []
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for one in self.entries:
                digest = hashlib.sha256()
                with archive.open(_entry(one.name, one.made_at), "w", force_zip64=_is_huge(one.bytes)) as entry:
                    async with aclosing(_exactly(storage, one)) as chunks:
                        async for chunk in chunks:
                            entry.write(chunk)
                            digest.update(chunk)
                            yield sink.take()
                digests.append(digest.hexdigest())
            manifest = self._manifest(digests)
            last = _entry(MANIFEST, self.batch.finished_at)
            with archive.open(last, "w", force_zip64=_is_huge(len(manifest))) as entry:
                entry.write(manifest)
        yield sink.take()

    def _manifest(self, digests: Sequence[str]) -> bytes:
        told = {
            "batchId": self.batch.id,
            "status": self.batch.status.value,
            "createdAt": _iso(self.batch.created_at),
            "finishedAt": _iso(self.batch.finished_at),
            "preset": self.batch.preset,
            "metadata": self.batch.metadata,
            "files": [one.told | {"sha256": digest} for one, digest in zip(self.entries, digests, strict=True)],
            "missing": self.missing,
        }
        return json.dumps(told, ensure_ascii=False, indent=1).encode("utf-8", "replace")


async def plan(database: Database, batch: Batch) -> Archive:
    """What the archive of a batch is to hold: all that is completed by now."""
    names = Names()
    archive = Archive(batch, [], [])
    async for image in _images(database, batch.id):
        for variant in image.variants:
            if variant.state is not State.COMPLETED or variant.key is None or variant.bytes is None:
                archive.missing.append(_missing(image, variant))
                continue
            name = names.name(image.original_name, variant.name, PurePosixPath(variant.key).suffix)
            told = _told(name, image, variant)
            archive.entries.append(Entry(name, variant.key, variant.bytes, image.finished_at, told))
    return archive


async def _exactly(storage: Storage, one: Entry) -> AsyncGenerator[bytes, None]:
    """The bytes of a result. Raises OSError if they are not as many as the record says."""
    left = one.bytes
    async for chunk in storage.read(one.key):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise OSError(f"{one.key} has not the {one.bytes} bytes that the record says")


async def _images(database: Database, batch_id: str) -> AsyncIterator[Image]:
    position = -1
    while page := await images.of_batch(database, batch_id, after=position):
        for image in page:
            yield image
        position = page[-1].position


def _entry(name: str, at: datetime | None) -> zipfile.ZipInfo:
    made = (at or datetime.now(UTC)).astimezone(UTC)
    entry = zipfile.ZipInfo(name, (max(made.year, 1980), *made.timetuple()[1:6]))
    entry.external_attr = 0o644 << 16
    return entry


def _is_huge(size: int) -> bool:
    return size > zipfile.ZIP64_LIMIT


def _told(name: str, image: Image, variant: Variant) -> dict[str, Any]:
    return {
        "name": name,
        "jobId": image.id,
        "originalName": image.original_name,
        "variant": variant.name,
        "format": variant.format,
        "width": variant.width,
        "height": variant.height,
        "bytes": variant.bytes,
    }


def _missing(image: Image, variant: Variant) -> dict[str, Any]:
    return {
        "jobId": image.id,
        "originalName": image.original_name,
        "variant": variant.name,
        "state": variant.state.value,
        "errorCode": variant.error_code,
        "reason": variant.error,
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
