"""Every result of a batch as one ZIP, made while it is sent.

Stored, not deflated: images do not get smaller. The standard library's ``zipfile`` writes to a sink that cannot be
rewound, so a size need not be known beforehand and nothing is held but the chunk under way and the list of entries.
What grows beyond 4 GB or 65,535 entries becomes ZIP64 by itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
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


@dataclass
class _Manifest:
    """What the archive tells of itself, built while it is written."""

    batch: Batch
    files: list[dict[str, Any]] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)

    def bytes(self) -> bytes:
        told = {
            "batchId": self.batch.id,
            "status": self.batch.status.value,
            "createdAt": _iso(self.batch.created_at),
            "finishedAt": _iso(self.batch.finished_at),
            "preset": self.batch.preset,
            "metadata": self.batch.metadata,
            "files": self.files,
            "missing": self.missing,
        }
        return json.dumps(told, ensure_ascii=False, indent=1).encode("utf-8", "replace")


async def stream(database: Database, storage: Storage, batch: Batch) -> AsyncGenerator[bytes, None]:
    """The bytes of the archive: each completed result in the order of the batch, and the manifest last.

    Raises FileNotFoundError when a result is deleted meanwhile: a transfer that breaks off is not taken for a whole.
    """
    sink = _Sink()
    names, manifest = Names(), _Manifest(batch)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True, strict_timestamps=False) as archive:
        async for image in _images(database, batch.id):
            for variant in image.variants:
                if variant.state is not State.COMPLETED or variant.key is None:
                    manifest.missing.append(_missing(image, variant))
                    continue
                name = names.name(image.original_name, variant.name, PurePosixPath(variant.key).suffix)
                digest = hashlib.sha256()
                size = 0
                with archive.open(_entry(name, image.finished_at), "w", force_zip64=_huge(variant.bytes)) as entry:
                    async for chunk in storage.read(variant.key):
                        entry.write(chunk)
                        digest.update(chunk)
                        size += len(chunk)
                        yield sink.take()
                manifest.files.append(_told(name, image, variant, size, digest.hexdigest()))
        archive.writestr(_entry(MANIFEST, batch.finished_at), manifest.bytes())
    yield sink.take()


async def anything(database: Database, batch_id: str) -> bool:
    """Whether there is a result to put in."""
    async for image in _images(database, batch_id):
        if any(variant.state is State.COMPLETED and variant.key for variant in image.variants):
            return True
    return False


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


def _huge(size: int | None) -> bool:
    """Whether an entry needs ZIP64, with room to spare; unknown sizes are taken for small ones by our limits."""
    return (size or 0) > 2**31 - 2**20


def _told(name: str, image: Image, variant: Variant, size: int, sha256: str) -> dict[str, Any]:
    return {
        "name": name,
        "jobId": image.id,
        "originalName": image.original_name,
        "variant": variant.name,
        "format": variant.format,
        "width": variant.width,
        "height": variant.height,
        "bytes": size,
        "sha256": sha256,
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
