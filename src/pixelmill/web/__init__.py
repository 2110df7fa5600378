"""Serves the built pages (their source is the top-level ``web/``). They use the public API only.

The files are few and small: they are read once, into memory, and again when they are built anew. Only names that were
found on disk are served, so there is no path to escape from.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

DIST = Path(__file__).parent / "dist"

#: Addresses that are both a page for a person and JSON for a program: told apart by Accept.
PAGES = re.compile(r"/(batches(/[0-9A-Za-z-]+)?|shares/[0-9A-Za-z_-]+|monitor(/[0-9A-Za-z/-]+)?)\Z")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
}
_NOT_BUILT = """The pages are not built.

In a checkout `make run` builds them (or `make pages`). The API is here all the same: see /docs.
"""


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    packed: bytes | None
    media_type: str
    etag: str
    cache: str


class Pages:
    """ASGI middleware: answers for the pages' own files, hands everything else on."""

    def __init__(self, app: ASGIApp, dist: Path = DIST) -> None:
        self.app = app
        self._dist = dist
        self._built: float | None = None
        self._files: dict[str, File] = {}
        self._look()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path: str = scope["path"]
        file: File | None = None
        if path == "/" or (PAGES.match(path) and prefers_html(headers.get("accept", ""))):
            self._look()
            file = self._files.get("/index.html")
            if file is None and path == "/":
                await PlainTextResponse(_NOT_BUILT, headers=_HEADERS)(scope, receive, send)
                return
        elif path != "/index.html":
            file = self._files.get(path)
        if file is None:
            await self.app(scope, receive, send)
        else:
            await _answer(file, headers)(scope, receive, send)

    def _look(self) -> None:
        """Read the files if they were built since the last look. One stat of a local file, a few microseconds."""
        try:
            built = (self._dist / "index.html").stat().st_mtime
        except OSError:
            self._built, self._files = None, {}
            return
        if built != self._built:
            found = [path for path in self._dist.rglob("*") if path.is_file() and not path.name.startswith(".")]
            self._files = {f"/{path.relative_to(self._dist).as_posix()}": _load(path) for path in found}
            self._built = built


def install(app: FastAPI) -> None:
    """Serve the pages in front of ``app``."""
    app.add_middleware(Pages)


def prefers_html(accept: str) -> bool:
    """Whether a browser asks for a page: it names text/html, and nothing JSON before it."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/html" not in kinds:
        return False
    first = kinds.index("text/html")
    return not any(kind.endswith("json") for kind in kinds[:first])


def _load(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(content, 9, mtime=0) if len(content) > 1000 else None
    # Names under assets/ carry a hash of their content.
    hashed = path.parent.name == "assets"
    return File(
        content=content,
        packed=packed if packed and len(packed) < len(content) * 0.9 else None,
        media_type=media_type,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        cache="public, max-age=31536000, immutable" if hashed else "no-cache",
    )


def _answer(file: File, asked: Headers) -> Response:
    headers = _HEADERS | {"ETag": file.etag, "Cache-Control": file.cache, "Vary": "Accept, Accept-Encoding"}
    if file.etag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if file.packed is not None and re.search(
        r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", asked.get("accept-encoding", "")
    ):
        return Response(file.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
