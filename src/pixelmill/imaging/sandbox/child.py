"""The decoder process: locks itself in, then serves one job at a time until its socket closes.

``python -m pixelmill.imaging.sandbox.child FD PARENT MEMORY NICE``
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import socket
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from pixelmill.imaging.sandbox import jail, wire

#: Bytes that are rather copied than sent by themselves.
_SMALL = 64 * 1024


def main(arguments: list[str]) -> int:
    fd, parent, memory, nice = (int(argument) for argument in arguments)
    os.setpgid(0, 0)  # Ctrl-C is for the parent, which ends its children itself
    os.nice(nice)  # within the parent's session: among sessions it might count for nothing (sched(7), autogroup)
    # Pillow warns of what is wrong in a file, tag by tag: a stranger could fill the log with it.
    warnings.simplefilter("ignore")
    held = jail.lock(memory, parent)
    connection = socket.socket(fileno=fd)
    # Only now, inside: what strangers' bytes can reach was never outside.
    from pixelmill.imaging.make import make
    from pixelmill.imaging.results import Limits, Made, NotMade
    from pixelmill.recipes.parse import reread

    voice = _Voice(connection)
    voice.say({"kind": "ready", "held": held})
    while True:
        request, source = _receive(connection)
        if request is None:
            return 0
        try:
            limits = Limits(**request["limits"])
            jail.limit_cpu(limits.seconds * (len(request["variants"]) + 1))
            left = len(request["variants"])
            with _map(source) as data:
                for result in make(data, reread(request["recipe"]), request["variants"], limits):
                    left -= isinstance(result, Made | NotMade)
                    voice.say(*wire.pack(result), more=not left)
            answer: dict[str, Any] = {"kind": "done"}
        except Exception as error:
            answer = _failure(error)
        finally:
            os.close(source)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        voice.say({**answer, "rss": _rss(), "peak": usage.ru_maxrss * 1024})


class _map:
    """The source mapped read-only; nothing of it is copied. Empty files cannot be mapped."""

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self.map = mmap.mmap(fd, size, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE) if size else None

    def __enter__(self) -> Any:
        return self.map if self.map is not None else b""

    def __exit__(self, *_: object) -> None:
        try:
            if self.map is not None:
                self.map.close()
        except BufferError:
            pass  # an image still looks at it, in a traceback; it goes with that


def _failure(error: Exception) -> dict[str, Any]:
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return {"kind": "error", "code": code, "detail": error.detail, "extra": error.extra}  # type: ignore[attr-defined]
    code = "out-of-memory" if isinstance(error, MemoryError) else "internal-error"
    return {"kind": "error", "code": code, "detail": str(error)[:300], "extra": {"traceback": traceback.format_exc()}}


def _rss() -> int:
    try:
        with Path("/proc/self/statm").open("rb") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Voice:
    """What the parent hears."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""

    def say(self, message: dict[str, Any], data: bytes | memoryview = b"", *, more: bool = False) -> None:
        """``more`` follows at once: what is small goes together with it, for the parent looks up for each."""
        self._held += wire.head(message, len(data))
        if len(data) > _SMALL:
            self._connection.sendall(self._held)
            self._connection.sendall(data)
        else:
            self._held += data
            if more:
                return
            self._connection.sendall(self._held)
        self._held = b""


def _receive(connection: socket.socket) -> tuple[Any, int]:
    """A request and its source's descriptor; None at the end."""
    first, fds, _, _ = socket.recv_fds(connection, wire.LENGTHS.size, 1)
    if not first:
        return None, -1
    first += _exactly(connection, wire.LENGTHS.size - len(first))
    size, _ = wire.lengths(first)
    return json.loads(_exactly(connection, size)), fds[0]


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        sys.exit(0)
