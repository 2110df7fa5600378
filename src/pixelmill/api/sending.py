"""Answers that are no JSON: what is stored, sent by the server itself where it can."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pixelmill.api import conditional, problems
from pixelmill.errors import PixelmillError
from pixelmill.storage.disposition import disposition

if TYPE_CHECKING:
    from pixelmill.api.parts import Parts

#: Seconds in which a client must follow a redirect to the object store.
_FOLLOW = 300


class SendFile(Response):
    """A whole file, sent by the server itself (ASGI ``pathsend``): its bytes never pass through Python."""

    def __init__(self, path: Path, headers: Mapping[str, str], media_type: str) -> None:
        self.path = path
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.pathsend", "path": str(self.path)})


async def stored(
    request: Request, parts: Parts, key: str, name: str, content_type: str, *, inline: bool = False
) -> Response:
    """The object under ``key``, or the part of it that is asked for; a browser never runs it as a page.

    ``inline``: it may be shown, as a picture; else it is a file called ``name``. Raises PixelmillError ``not-found``.
    """
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    headers = {
        # A key is written once, so it names the bytes.
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(name, not inline),
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if conditional.not_modified(request.headers, etag):
        return Response(status_code=304, headers=headers)
    if not _of_our_page(request):
        url = await parts.storage.presign_get(
            key, seconds=_FOLLOW, filename=name, content_type=content_type, inline=inline
        )
        if url:
            return RedirectResponse(url, 307, {"Cache-Control": "no-store"})
    found = await parts.storage.stat(key)
    if found is None:
        raise PixelmillError("not-found", "It has been deleted.")
    try:
        part = conditional.byte_range(request.headers, etag, found.bytes)
    except IndexError:
        problem = PixelmillError("range-not-satisfiable", extra={"size": found.bytes})
        return problems.response(problem, request.url.path, {"Content-Range": f"bytes */{found.bytes}"})
    status = 200
    start, end = 0, found.bytes
    if part is not None:
        status, (start, end) = 206, part
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.bytes}"
    headers["Content-Length"] = str(end - start)
    path = parts.storage.path(key)
    if part is None and path is not None and "http.response.pathsend" in request.scope.get("extensions", {}):
        return SendFile(path, headers, content_type)
    body = parts.storage.read(key, start, end)
    return StreamingResponse(body, status, headers, content_type)


def _of_our_page(request: Request) -> bool:
    """Whether a script or picture of our own page asks, whose policy lets it load from us alone."""
    told = request.headers.get
    return told("sec-fetch-site") == "same-origin" and told("sec-fetch-mode") != "navigate"
