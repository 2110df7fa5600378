"""JSON bodies: bounded, read once, and refused in the caller's words."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from pixelmill.errors import PixelmillError

#: A recipe may have 256 KiB; a list of sources a few thousand addresses.
MAX_BYTES = 1024 * 1024


async def read(request: Request, most_bytes: int = MAX_BYTES) -> bytes:
    """The body. Raises PixelmillError ``unsupported-media-type`` or ``too-large-request``.

    The content type must say JSON: a page of another site cannot send that without being asked first (CORS).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise PixelmillError("unsupported-media-type", "Send JSON, with Content-Type: application/json.")
    length = request.headers.get("content-length", "")
    body = bytearray()
    if not length.isdecimal() or int(length) <= most_bytes:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                break
        else:
            return bytes(body)
    raise PixelmillError("too-large-request", f"The body is larger than {most_bytes} bytes.")


async def read_object(request: Request, most_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The body as an object. Raises as :func:`read`, and ``bad-request`` for what is no JSON object."""
    try:
        value = json.loads(await read(request, most_bytes))
    except (ValueError, RecursionError) as error:
        raise PixelmillError("bad-request", f"The body is not JSON: {str(error)[:200]}.") from error
    if not isinstance(value, dict):
        raise PixelmillError("bad-request", "The body is not a JSON object.")
    return value
