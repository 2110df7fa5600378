"""Around every request: its id, one line in the log, the headers that make browsers careful, HEAD, and a last net."""

from __future__ import annotations

import re
import time

import structlog
import uuid_utils
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelmill.api import problems
from pixelmill.errors import PixelmillError

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,100}\Z")
#: Asked every few seconds by machines; not worth a line each.
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})

#: What every answer has unless it brings its own. The API shows nothing and runs nothing in a browser.
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Envelope:
    """Pure ASGI, so that a file is still sent by the server and a stream is still a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.match(asked) else _new_id()
        head = scope["method"] == "HEAD"
        if head:
            # A HEAD is a GET whose body stays here.
            scope = {**scope, "method": "GET", "pixelmill.head": True}
        status = 0
        over = False

        async def dress(message: Message) -> None:
            nonlocal status, over
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=list(message["headers"]))
                headers["x-request-id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                await send({**message, "headers": headers.raw})
            elif not head:
                await send(message)
            elif not over:
                over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, dress)
            except Exception as error:
                log.error("unexpected", path=scope["path"], exc_info=error)
                if status:
                    # Part of an answer is out: cut the connection, so that nobody takes it for the whole.
                    raise
                answer = problems.response(PixelmillError("internal-error"), scope["path"])
                await answer(scope, receive, dress)
            finally:
                if scope["path"] not in _QUIET:
                    took = round((time.perf_counter() - began) * 1000, 1)
                    log.info("request", method=scope["method"], path=scope["path"], status=status, ms=took)


def _new_id() -> str:
    return uuid_utils.uuid7().hex
