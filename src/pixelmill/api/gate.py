"""What every request passes before its route: who asks, how much it may, how its body comes, and that it is done once.

Pure ASGI. An error here is answered here; the scope that a route needs is checked at the route, by ``auth``.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from pixelmill.api import idempotency, problems
from pixelmill.api.auth import Caller, Door
from pixelmill.api.body import Body, Pace
from pixelmill.api.idempotency import Keeper, Once
from pixelmill.api.quotas import Quotas
from pixelmill.errors import PixelmillError

if TYPE_CHECKING:
    from pixelmill.settings import Settings

log = structlog.stdlib.get_logger(__name__)

#: Asked every few seconds by machines: answered whoever asks, however much else is asked, and without the records.
PROBES = frozenset({"/livez", "/readyz"})
#: Types of bodies that may be large, and are measured by the routes that read them.
LARGE = ("multipart/form-data", "application/offset+octet-stream")
#: Headers by which two requests that send bytes of an upload are the same.
UPLOAD = (
    "content-length",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "upload-checksum",
    "x-http-method-override",
)
#: Bytes of the longest address taken.
MOST_ADDRESS = 8 * 1024


class Gate:
    """The parts are made when the server starts: they are looked up in ``app.state`` at each request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Passage(self.app, scope, receive, send).run()
        elif scope["type"] == "websocket":
            caller = await _caller(HTTPConnection(scope))
            if isinstance(caller, PixelmillError):
                await _refuse(WebSocket(scope, receive, send), caller)
            else:
                await self.app(_with(scope, caller, None), receive, send)
        else:
            await self.app(scope, receive, send)


async def _caller(connection: HTTPConnection) -> Caller | PixelmillError:
    """Who asks, or why that is nobody: a route that needs nobody does not mind."""
    door: Door = connection.app.state.door
    try:
        return await door.caller(connection)
    except PixelmillError as error:
        return error


async def _refuse(socket: WebSocket, error: PixelmillError) -> None:
    """No WebSocket is for everybody: there is an HTTP answer where the server can give one, else a closed door."""
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(problems.response(error, socket.url.path))
    else:
        await socket.close(1008, error.spec.slug)


def _with(scope: Scope, caller: Caller | PixelmillError, once: Once | None) -> Scope:
    return {**scope, "state": {**scope.get("state", {}), "caller": caller, "once": once}}


class _Passage:
    """One request on its way in, and its answer on its way out."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connection = HTTPConnection(scope)
        self._told: dict[str, str] = {}
        self._body: Body | None = None
        self._once: Once | None = None
        self._start: Message | None = None
        self._kept = bytearray()
        self._spoilt = False

    async def run(self) -> None:
        state = self._connection.app.state
        settings: Settings = state.parts.settings
        try:
            try:
                self._fits(settings)
                caller: Caller | PixelmillError = PixelmillError("no-key")
                if self._scope["path"] not in PROBES:
                    caller = await _caller(self._connection)
                await self._count(caller, state.quotas, settings)
                answer = await self._reserve(caller, state.keeper)
            except PixelmillError as error:
                answer = problems.response(error, self._scope["path"])
            if answer is not None:
                await answer(self._scope, self._receive, self._out)
            else:
                await self._app(_with(self._scope, caller, self._once), self._in, self._out)
        finally:
            if self._once is not None:
                await asyncio.shield(asyncio.ensure_future(self._release(self._once)))

    def _fits(self, settings: Settings) -> None:
        raw = self._scope["headers"]
        if sum(len(name) + len(value) + 4 for name, value in raw) > settings.max_header_bytes:
            raise PixelmillError("headers-too-large", f"The headers are larger than {settings.max_header_bytes} bytes.")
        if len(self._scope.get("raw_path") or b"") + len(self._scope["query_string"]) > MOST_ADDRESS:
            raise PixelmillError("address-too-long", f"The address is longer than {MOST_ADDRESS} bytes.")

    def _who(self, caller: Caller | PixelmillError) -> tuple[Caller | None, str]:
        """Whose quota it is: the key's, or without one the client's address's."""
        if isinstance(caller, Caller) and caller.key_id:
            return caller, f"key:{caller.key_id}"
        client = self._scope.get("client")
        return None, f"address:{client[0] if client else ''}"

    async def _count(self, caller: Caller | PixelmillError, quotas: Quotas, settings: Settings) -> None:
        """Count the request and what it announces, and watch how its body comes."""
        headers = self._connection.headers
        length = headers.get("content-length")
        size = int(length) if length and length.isdecimal() else None
        small = not headers.get("content-type", "").startswith(LARGE) and self._scope["method"] != "PUT"
        most = settings.max_json_bytes if small else None
        too_large = most is not None and size is not None and size > most
        if self._scope["path"] not in PROBES:
            await quotas.enter(*self._who(caller), None if too_large else size, self._told)
        if too_large:
            raise PixelmillError("too-large-request", f"The body is larger than {most} bytes.")
        if not (length and length != "0") and "transfer-encoding" not in headers:
            return
        pace = Pace(settings.upload_idle_seconds, settings.upload_seconds, settings.upload_min_rate)
        charge = quotas.charge(*self._who(caller)) if size is None else None
        self._body = Body(self._receive, pace, most_bytes=most, charge=charge)

    async def _reserve(self, caller: Caller | PixelmillError, keeper: Keeper) -> Response | None:
        """Reserve the Idempotency-Key, if there is one; the first answer, if it can be told already."""
        if self._scope["method"] != "POST" or not isinstance(caller, Caller):
            return None
        self._once = await keeper.reserve(self._connection, caller)
        kind = self._connection.headers.get("content-type", "")
        if self._once is None or kind.startswith("multipart/form-data"):
            return None
        if kind.startswith(LARGE):
            return self._once.settle(repr([self._connection.headers.get(name) for name in UPLOAD]).encode())
        whole = await self._body.whole() if self._body else b""
        self._receive = _again(whole, self._receive)
        self._body = None
        return self._once.settle(idempotency.of_json(whole))

    async def _in(self) -> Message:
        return await (self._body.receive() if self._body else self._receive())

    async def _out(self, message: Message) -> None:
        if self._spoilt:
            return
        if message["type"] == "http.response.start":
            error = self._body.error if self._body else None
            if error is not None and message["status"] != error.spec.status:
                # What read the body took its end for something else (FastAPI: for bad JSON).
                self._spoilt = True
                await problems.response(error, self._scope["path"], self._told)(self._scope, self._in, self._send)
                return
            message = self._begin(message)
            if self._once is not None and message["status"] >= 300:
                # Before the answer: who is refused may mend it and come back at once.
                await self._release(self._once)
            if self._once is not None and 200 <= message["status"] < 300:
                # The answer is kept before it is given: who has it can rely on getting it again.
                self._start = message
                return
        elif self._start is not None:
            if message["type"] == "http.response.body":
                self._kept += message.get("body", b"")
                if message.get("more_body", False) and len(self._kept) <= idempotency.MOST:
                    return
                message = {**message, "body": bytes(self._kept)}
            start, self._start = self._start, None
            await self._keep(start, message)
            await self._send(start)
        await self._send(message)

    def _begin(self, message: Message) -> Message:
        """The head of the answer, with how the quotas stand."""
        headers = MutableHeaders(raw=list(message["headers"]))
        for name, value in self._told.items():
            headers.setdefault(name, value)
        return {**message, "headers": headers.raw}

    async def _keep(self, start: Message, body: Message) -> None:
        if self._once is None or body["type"] != "http.response.body" or body.get("more_body", False):
            return
        try:
            await self._once.answered(start["status"], Headers(raw=start["headers"]), body["body"])
        except PixelmillError:
            # It is done, and the client is told; only a repeat would not be recognised.
            log.warning("idempotency.answer-not-kept", path=self._scope["path"], exc_info=True)

    @staticmethod
    async def _release(once: Once) -> None:
        with contextlib.suppress(PixelmillError):
            await once.release()


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read once more, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
