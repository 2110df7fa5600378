"""A real HTTP server in this process that takes webhooks, answers as it is told, and serves files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are given one after the other, the last one for ever: a status, and headers.

    ``files`` by their path are there to be fetched; whoever does so is not among the ``calls``.
    """

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(204, {})])
    calls: list[Call] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    port: int = 0
    #: Answers are held back until it is set.
    open: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/hook"


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver, tasks: set[asyncio.Task[None]]) -> None:
        self._receiver = receiver
        self._tasks = tasks
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        while (event := self._http.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
            if isinstance(event, h11.Request):
                self._request = event
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                task = asyncio.create_task(self._answer())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self) -> None:
        assert self._request
        path = self._request.target.decode()
        file = self._receiver.files.get(path)
        if file is not None:
            status, told = 200, {"content-length": str(len(file))}
        else:
            headers = {name.decode(): value.decode() for name, value in self._request.headers}
            self._receiver.calls.append(Call(self._request.method.decode(), path, headers, self._body))
            answers = self._receiver.answers
            status, told = answers.pop(0) if len(answers) > 1 else answers[0]
            await self._receiver.open.wait()
        response = h11.Response(status_code=status, headers=[*told.items(), ("connection", "close")])
        for event in (response, *([h11.Data(data=file)] if file else []), h11.EndOfMessage()):
            self._transport.write(self._http.send(event) or b"")
        self._transport.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.open.set()
    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(receiver, tasks), LOOPBACK, 0)
    async with server:
        receiver.port = server.sockets[0].getsockname()[1]
        yield receiver
        for task in tasks:
            task.cancel()
