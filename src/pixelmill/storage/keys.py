"""The names of stored objects; the only place that knows how they are put together."""

from __future__ import annotations

import re

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")


def check(key: str) -> str:
    """Return ``key``; ValueError unless it is a relative path of plain names (no ``..``, no hidden file)."""
    if len(key) > 512 or not _SAFE.match(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


def originals(batch_id: str) -> str:
    """Prefix of everything a request brought in."""
    return f"originals/{batch_id}/"


def original(batch_id: str, image_id: str) -> str:
    return f"originals/{batch_id}/{image_id}"


def fetched(batch_id: str, image_id: str, token: str) -> str:
    """An original that the try ``token`` fetched from elsewhere: a late writer can spoil nothing but its own."""
    return f"originals/{batch_id}/{image_id}-{token}"


def upload(upload_id: str) -> str:
    """Prefix of everything that an upload of its own brought, before and after a batch took it."""
    return f"uploads/{upload_id}/"


def direct(upload_id: str) -> str:
    """Where a client stores an upload by a presigned request."""
    return f"uploads/{upload_id}/direct"


def piece(upload_id: str, token: str, offset: int) -> str:
    """A piece of an upload, from ``offset`` on, as one writer received it."""
    return f"uploads/{upload_id}/piece-{token}-{offset}"


def whole(upload_id: str, token: str) -> str:
    """An upload as it is when all of it has come."""
    return f"uploads/{upload_id}/whole-{token}"


def upload_of(key: str) -> str | None:
    """The prefix of the upload that ``key`` is of; None when it is of none."""
    match = re.match(r"uploads/[A-Za-z0-9][A-Za-z0-9._-]*/", key)
    return match[0] if match else None


def processed(batch_id: str) -> str:
    """Prefix of everything made for a batch."""
    return f"processed/{batch_id}/"


def attempt(batch_id: str, image_id: str, token: str) -> str:
    """Prefix of everything that one try of one image writes; a late writer can spoil nothing but its own."""
    return f"processed/{batch_id}/{image_id}/{token}-"


def result(batch_id: str, image_id: str, token: str, variant: str, extension: str) -> str:
    return f"{attempt(batch_id, image_id, token)}{variant}.{extension}"


def name(batch_id: str, image_id: str, variant: str) -> str:
    """What a result is called elsewhere: the same whichever try made it."""
    return f"{batch_id}/{image_id}/{variant}"


def name_of(key: str) -> str | None:
    """The :func:`name` of the result that lies under ``key``; None when it is no result's."""
    match = re.match(r"processed/([^/]+)/([^/]+)/[0-9a-f-]{36}-([^/]+)\.[^./]+\Z", key)
    return name(*match.groups()) if match else None
