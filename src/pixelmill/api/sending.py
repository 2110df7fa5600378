"""Answers that are no JSON: a file sent by the server, a stream of events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


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
