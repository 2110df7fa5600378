"""Conditional and range requests (RFC 9110 §13, §14), as far as results need them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*\Z", re.IGNORECASE)


def not_modified(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-None-Match names ``etag`` (weak comparison)."""
    asked = headers.get("if-none-match")
    if asked is None:
        return False
    return asked.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(asked)


def byte_range(headers: Mapping[str, str], etag: str, size: int) -> tuple[int, int] | None:
    """The one range asked for, as (start, end) with ``end`` excluded; None when the whole is to be sent.

    What is malformed, has several ranges or is of another version (If-Range) is answered whole, as RFC 9110 allows.
    Raises IndexError when none of it exists.
    """
    found = _RANGE.match(headers.get("range", "").strip())
    if found is None or headers.get("if-range", etag).strip() != etag:
        return None
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return None
    if start >= size or start >= end:
        raise IndexError(start)
    return start, end
