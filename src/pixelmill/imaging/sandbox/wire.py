"""What parent and child say to each other: frames of JSON with bytes behind it, on a Unix socket pair.

A frame is two lengths (of the JSON and of the bytes, big-endian), the JSON, the bytes. Nothing is unpickled: the child
works on strangers' files, so the parent trusts no more of a frame than its lengths, which it bounds.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import Any

from pixelmill.imaging.results import Inspected, Made, NotMade, Progress, Result

LENGTHS = struct.Struct("!IQ")
MOST_JSON = 8 * 1024 * 1024
MOST_BYTES = 2 * 1024**3

_KINDS: dict[str, type[Any]] = {"inspected": Inspected, "made": Made, "progress": Progress, "not-made": NotMade}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def head(message: dict[str, Any], size: int = 0) -> bytes:
    """The frame of ``message`` up to its ``size`` bytes, which follow."""
    text = json.dumps(message, separators=(",", ":")).encode()
    return LENGTHS.pack(len(text), size) + text


def lengths(data: bytes | bytearray) -> tuple[int, int]:
    """Lengths of JSON and bytes. Raises ValueError when they are out of bounds."""
    text, size = LENGTHS.unpack(data)
    if text > MOST_JSON or size > MOST_BYTES:
        raise ValueError("frame out of bounds")
    return text, size


def pack(result: Result) -> tuple[dict[str, Any], bytes | memoryview]:
    """A result as message and bytes."""
    values = asdict(result) if not isinstance(result, Made) else _made(result)
    data = result.data if isinstance(result, Made) else b""
    return {"kind": _NAMES[type(result)], **values}, data


def _made(result: Made) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Made.__slots__ if name != "data"}


def unpack(message: dict[str, Any], data: bytes | bytearray) -> Result:
    """The result in a message. Raises ValueError for what is none."""
    values = dict(message)
    kind = _KINDS.get(values.pop("kind", ""))
    if kind is None:
        raise ValueError("no result")
    if kind is Made:
        values["data"] = memoryview(data)
    try:
        result: Result = kind(**values)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return result
