"""Files of a request whose bytes do not come with it: a worker fetches them, or they have come before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixelmill.errors import CODES, PixelmillError
from pixelmill.records import intents
from pixelmill.records.models import Upload


@dataclass(frozen=True, slots=True)
class Coming:
    """An image that a worker is to fetch from ``source``; ``error`` when that can be ruled out at once."""

    image_id: str
    name: str
    source: dict[str, Any]
    error: PixelmillError | None = None

    def refusal(self) -> dict[str, str]:
        return _refusal(self.name, self.error)

    def as_image(self) -> intents.NewImage:
        return intents.NewImage(
            id=self.image_id,
            original_name=self.name,
            key=None,
            bytes=self.source.get("bytes") or 0,
            sha256=None,
            format=self.source.get("format"),
            error_code=self.error.code if self.error else None,
            reason=self.error.detail if self.error else None,
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """An upload that is whole. Its bytes stay where they are, and go with the batch."""

    image_id: str
    name: str
    upload: Upload

    @property
    def error(self) -> PixelmillError | None:
        if not self.upload.offset:
            return PixelmillError("empty-file", "The file has no bytes.")
        if self.upload.format is None:
            return PixelmillError("unsupported-format", CODES["unsupported-format"].advice)
        return None

    def refusal(self) -> dict[str, str]:
        return _refusal(self.name, self.error)

    def as_image(self) -> intents.NewImage:
        one, error = self.upload, self.error
        direct = one.kind == "direct" and not error
        return intents.NewImage(
            id=self.image_id,
            original_name=self.name,
            key=None if error or direct else one.key,
            bytes=one.offset,
            sha256=None if error else one.sha256,
            format=one.format,
            error_code=error.code if error else None,
            reason=error.detail if error else None,
            # Whoever may store it could do so again: a worker copies it, and looks at the copy.
            source={"key": one.key, "upload": one.id, "bytes": one.offset} if direct else None,
        )


def _refusal(name: str, error: PixelmillError | None) -> dict[str, str]:
    assert error
    return {"originalName": name, "code": error.code, "detail": error.detail}
