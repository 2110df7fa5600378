"""A line to a real server that can be made to fail: answers of its own, cuts, changed bytes.

One request a connection, so that each can be treated differently. It adds nothing and takes nothing away, the header
``Host`` included: signatures hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


def answer(status: str, body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/xml\r\nConnection: close"
    return head.encode() + b"\r\n\r\n" + body


@dataclass
class Request:
    method: str
    target: str


@dataclass
class Fault:
    """What happens to a request: ``reply`` instead of the server's; its answer cut after ``cut`` bytes; a bit of its
    body flipped; ``delay`` in seconds before it is passed on."""

    reply: bytes | None = None
    cut: int | None = None
    flip: bool = False
    delay: float = 0.0


@dataclass
class Proxy:
    upstream: str
    #: Decides for each request, in the order they come; None lets it pass.
    faults: Callable[[Request], Fault | None] = lambda request: None
    seen: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            if headers.get("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(method, target)
            self.seen.append(request)
            fault = self.faults(request) or Fault()
            await asyncio.sleep(fault.delay)
            if fault.reply is not None:
                writer.write(fault.reply)
            else:
                if fault.flip:
                    body = bytes([body[0] ^ 1]) + body[1:]
                kept = [line for line in lines[:-2] if not line.lower().startswith(("connection:", "expect:"))]
                sent = "\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1") + body
                await self._pass_on(sent, writer, fault.cut)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, request: bytes, writer: asyncio.StreamWriter, cut: int | None) -> None:
        parts = urlsplit(self.upstream)
        reader, upstream = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            upstream.write(request)
            left = cut
            while chunk := await reader.read(65536):
                writer.write(chunk if left is None else chunk[:left])
                await writer.drain()
                if left is not None and (left := left - len(chunk)) <= 0:
                    return
        finally:
            upstream.close()
