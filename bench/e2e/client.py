"""A client of a few kept connections in one thread, so lean that what is measured is the service and not the client.

http.client takes 2.5 ms of CPU for a photo of 130 kB and eight threads hand one lock around: on a machine of two cores
that is a seventh of all there is. It speaks as much of HTTP/1.1 as the services under test do.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any

_SILENCE = 300.0  # seconds


class Connection:
    """One request at a time; bytes go and come as the socket takes and has them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def begin(self, request: bytes) -> None:
        self.left, self.got, self.begun = memoryview(request), bytearray(), time.perf_counter()

    def send(self) -> bool:
        """Send what the socket takes; whether all is sent."""
        self.left = self.left[self.socket.send(self.left) :]
        return not self.left

    def receive(self) -> dict[str, Any] | None:
        """Take what has come: the answer, once it is whole."""
        if not (part := self.socket.recv(1 << 18)):
            raise ConnectionError(f"The connection was closed after {bytes(self.got[:300])!r}")
        self.got += part
        head, blank, body = self.got.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(bytes(head)):
            return None
        if head.split(b" ", 2)[1] not in (b"200", b"202"):
            raise RuntimeError(bytes(self.got[:600]).decode(errors="replace"))
        answer: dict[str, Any] = json.loads(body)
        return answer


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError(f"no Content-Length in {head!r}")


def request(method: str, path: str, body: bytes = b"") -> bytes:
    kind = "Content-Type: multipart/form-data; boundary=frontier\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send_all(port: int, requests: Iterable[bytes], connections: int) -> Iterator[tuple[float, dict[str, Any]]]:
    """Send the requests over so many connections, each when the one before it is answered: seconds, and the answer.

    Seconds go from before the first byte is sent until the answer is read.
    """
    todo = iter(requests)
    with selectors.DefaultSelector() as ready:

        def next_on(connection: Connection) -> bool:
            if (one := next(todo, None)) is None:
                connection.socket.close()
                return False
            connection.begin(one)
            return True

        for _ in range(connections):
            connection = Connection(port)
            if next_on(connection):
                ready.register(connection.socket, selectors.EVENT_WRITE, connection)
        while ready.get_map():
            if not (came := ready.select(_SILENCE)):
                raise TimeoutError(f"no answer for {_SILENCE} s")
            for key, events in came:
                connection = key.data
                if events & selectors.EVENT_WRITE:
                    if connection.send():
                        ready.modify(connection.socket, selectors.EVENT_READ, connection)
                elif (answer := connection.receive()) is not None:
                    yield time.perf_counter() - connection.begun, answer
                    ready.unregister(connection.socket)
                    if next_on(connection):
                        ready.register(connection.socket, selectors.EVENT_WRITE, connection)
