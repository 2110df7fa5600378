"""Around every request: its id, one line in the log, the headers that make browsers careful, HEAD, and a last net."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Iterable

import structlog
import uuid_utils
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelmill.api import problems
from pixelmill.errors import PixelmillError

log = structlog.stdlib.get_logger(__name__)

_HEAD = "pixelmill.head"
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,100}\Z")
#: Bytes and seconds of a refused body that are read away before the answer.
MOST_DRAINED = 16 * 1024 * 1024
DRAIN_SECONDS = 5.0
#: Asked every few seconds by machines; not worth a line each.
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})

#: What every answer has unless it brings its own. The API shows nothing and runs nothing in a browser.
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_ID = b"x-request-id"


class Traffic:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self._open = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self._open += 1
        self._none.clear()

    def __exit__(self, *error: object) -> None:
        self._open -= 1
        if not self._open:
            self._none.set()

    async def end(self, seconds: float) -> None:
        """Wait until all are answered, but not longer than ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


class Body:
    """The request's body, as far as it has been read.

    Most clients send all of it before they look at an answer, and lose an answer that comes with a cut connection.
    So the rest of a refused body is read away first, if it is small enough to be worth it.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self._receive = receive
        self._left: float = int(length) if length.isdecimal() else math.inf if "transfer-encoding" in headers else 0
        # Who waits for "100 Continue" looks at the answer first.
        self._waits = headers.get("expect", "").lower() == "100-continue"

    async def receive(self) -> Message:
        message = await self._receive()
        self._waits = False
        if message["type"] == "http.request" and message.get("more_body", False):
            self._left -= len(message.get("body", b""))
        else:
            self._left = 0
        return message

    async def drain(self) -> None:
        if self._waits or (self._left > MOST_DRAINED and self._left != math.inf):
            return
        most = MOST_DRAINED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._left > 0 and most > 0:
                    most -= len((await self.receive()).get("body", b""))

    def let_go(self) -> None:
        """Of the connection. The server waits for the rest of a body as long as anybody holds on to its end."""
        self._receive = _gone


async def _gone() -> Message:
    return {"type": "http.disconnect"}


async def _nowhere(_: Message) -> None:
    """Where what is said after the end goes."""


class Envelope:
    """Pure ASGI, so that a file is still sent by the server and a stream is still a stream."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        with self._traffic:
            if scope["type"] == "http":
                await self._http(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.match(asked) else _new_id()
        body = Body(scope, receive)
        head = scope["method"] == "HEAD"
        if head:
            # A HEAD is a GET whose body stays here.
            scope = {**scope, "method": "GET", _HEAD: True}
        status = 0
        over = False

        async def dress(message: Message) -> None:
            nonlocal status, over
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400 and status != 408:
                    await body.drain()
                await send({**message, "headers": _dressed(message["headers"], status, request_id)})
            elif not head:
                await send(message)
            elif not over:
                over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, body.receive, dress)
            except Exception as error:
                log.error("unexpected", path=_logged(scope["path"]), exc_info=error)
                if status:
                    # Part of an answer is out: cut the connection, so that nobody takes it for the whole.
                    raise
                answer = problems.response(PixelmillError("internal-error"), scope["path"])
                await answer(scope, body.receive, dress)
            finally:
                if scope["path"] not in _QUIET:
                    took = round((time.perf_counter() - began) * 1000, 1)
                    log.info(
                        "request",
                        method="HEAD" if head else scope["method"],
                        path=_logged(scope["path"]),
                        status=status,
                        ms=took,
                    )
                # What was raised keeps its frames, and these keep the connection, until the garbage is collected.
                body.let_go()
                receive, send = _gone, _nowhere


def _dressed(raw: Iterable[tuple[bytes, bytes]], status: int, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those that every answer has unless it brings its own."""
    own = [(name, value) for name, value in raw if name != _ID]
    own.append((_ID, request_id.encode()))
    if status == 408:
        own.append((b"connection", b"close"))  # RFC 9110, 15.5.9: nobody waits for the rest of the body
    names = {name for name, _ in own}
    return own + [header for header in HEADERS if header[0] not in names]


def asks_for_head(scope: Scope) -> bool:
    """Whether only the head of the answer is wanted: a stream that has no end need not begin."""
    return bool(scope.get(_HEAD))


def _logged(path: str) -> str:
    """A path as it may be written down: the token in it opens a share for whoever reads the log."""
    return "/shares/…" if path.startswith("/shares/") else path


def _new_id() -> str:
    return uuid_utils.uuid7().hex
