"""What `pixelmill serve` becomes: one machine's Valkey, API and worker, kept running and stopped in order.

``python -m pixelmill.cli.supervisor``: it runs as long as the service, so it is a small process, without the libraries
that read settings. Its children are on a leash: they die with it, even by kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TextIO

from pixelmill.cli.children import Child
from pixelmill.cli.listening import LISTEN_FD, address
from pixelmill.errors import PixelmillError
from pixelmill.queue import embedded

_FALSE_STARTS = 2  # deaths of the API before its first answer that are forgiven
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PLAN = "PIXELMILL_PLAN"  # not an argument: who looks for the queue's program by name is not to find us
_MARGIN = 5.0  # seconds that a child has beyond its own grace period before it is killed


def say(sentence: str, *, level: str = "info") -> None:
    """To people in words, to programs as a line of JSON like those of the children."""
    if sys.stderr.isatty():
        line = sentence
    else:
        line = json.dumps({"event": sentence, "level": level, "timestamp": datetime.now(UTC).isoformat()})
    with contextlib.suppress(OSError):  # a terminal that was closed must not keep us from stopping our children
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


@dataclass(frozen=True)
class Plan:
    """What of the settings it needs, and the files it goes on with: ``listener`` listens, ``lock`` is locked.

    ``queue``: the program of a server of our own; None where another one is set.
    """

    data_dir: str
    queue: str | None
    grace_seconds: float
    listener: int
    lock: int


def become(plan: Plan) -> NoReturn:
    """Be the supervisor from here on, in the same process."""
    for fd in (plan.listener, plan.lock):
        os.set_inheritable(fd, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # one that comes from here on waits until we can stop in order
    command = [sys.executable, "-m", __name__]
    os.execve(command[0], command, {**os.environ, _PLAN: json.dumps(asdict(plan))})  # noqa: S606


def lock(data_dir: Path) -> TextIO:
    """Only one service on a data folder. The kernel gives the lock back, however we end."""
    file = (data_dir / "serve.lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with file:
            file.seek(0)
            holder = file.read().strip() or "unknown"
        raise PixelmillError(
            "conflict",
            f"Another pixelmill serve (process {holder}) uses {data_dir}. Stop it, or set PIXELMILL_DATA_DIR.",
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def slot(data_dir: Path) -> str:
    """The name of this service's place among all that share its database: it stays the same over restarts."""
    path = data_dir / "id"
    if not path.exists():
        path.write_text(uuid.uuid4().hex, encoding="ascii")
    return path.read_text(encoding="ascii").strip()


class Supervisor:
    """``sock`` listens already: while an API process is started again, callers wait in its queue, refused by none."""

    def __init__(self, plan: Plan, sock: socket.socket) -> None:
        self._plan = plan
        self._data_dir = Path(plan.data_dir)
        self._sock = sock
        self._stopping = asyncio.Event()
        self._in_a_hurry = asyncio.Event()
        self._answered = False
        env = {"PIXELMILL_DATA_DIR": str(self._data_dir), "PIXELMILL_SLOT": slot(self._data_dir)}
        # glibc gives nearly every thread a heap of its own, of which each keeps some megabytes.
        env["MALLOC_ARENA_MAX"] = os.environ.get("MALLOC_ARENA_MAX", "2")
        if plan.queue:
            env["PIXELMILL_REDIS_URL"] = embedded.url(self._data_dir)
        self._valkey = Child("queue", self._queue_command, say=say)
        self._worker = Child("worker", lambda: [*_PYTHON, "worker"], say=say, env=env)
        self._api = Child(
            "API",
            # The first brings the database up to date while it loads; the worker waits for that.
            lambda: [*_PYTHON, "api", *([] if self._answered else ["--migrate"])],
            say=say,
            env={**env, LISTEN_FD: str(sock.fileno())},
            fds=[sock.fileno()],
        )

    async def run(self) -> None:
        """Until SIGINT, SIGTERM or SIGHUP. A second one kills what has not stopped yet."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        try:
            await self._start()
            await self._stopping.wait()
        finally:
            await self._stop()

    def _queue_command(self) -> list[str]:
        assert self._plan.queue  # it is started only then
        return embedded.prepare(self._data_dir, Path(self._plan.queue))

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._in_a_hurry.set()
        self._stopping.set()

    async def _start(self) -> None:
        starting = asyncio.create_task(self._start_all())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting

    async def _start_all(self) -> None:
        began = time.monotonic()
        if self._plan.queue:
            if not await embedded.until_gone(self._data_dir):
                path = embedded.socket_path(self._data_dir)
                raise PixelmillError("conflict", f"Another server answers at {path}. Stop it first.")
            await self._valkey.start()
        await self._api.start()
        if self._plan.queue and not await embedded.until_answers(self._data_dir):
            log = embedded.folder(self._data_dir) / "valkey.log"
            raise PixelmillError("unavailable", f"The queue's server does not start. {log} says why.")
        while not await _answers(self._sock):
            if self._api.deaths > _FALSE_STARTS:
                raise PixelmillError("unavailable", "The API does not start. What it has written above says why.")
            await asyncio.sleep(0.03)
        self._answered = True
        await self._worker.start()
        took = time.monotonic() - began
        say(f"Pixelmill is at {address(self._sock)} (Ctrl-C stops it). Its data is in {self._data_dir}. {took:.1f} s")
        if self._plan.queue and embedded.is_elsewhere(self._data_dir):
            path = embedded.socket_path(self._data_dir)
            say(f"The data folder's path is too long for a socket, so the queue's socket is {path}.")

    async def _stop(self) -> None:
        self._stopping.set()
        hurry = asyncio.create_task(self._hurry())
        grace = self._plan.grace_seconds + _MARGIN
        say(f"Stopping; what is in work has {self._plan.grace_seconds:g} s to finish.")
        clean = await asyncio.gather(self._worker.stop(grace), self._api.stop(grace))
        await self._valkey.stop(_MARGIN)
        hurry.cancel()
        if all(clean):
            say("Stopped.")
        else:
            say("Stopped by force; what was not finished goes on at the next start.", level="warning")

    async def _hurry(self) -> None:
        await self._in_a_hurry.wait()
        for child in (self._worker, self._api, self._valkey):
            child.kill()


_PYTHON = (sys.executable, "-m", "pixelmill")


async def _answers(sock: socket.socket) -> bool:
    """Whether the API answers a request, with whatever status; connecting says nothing, for the socket is ours."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def main() -> None:
    plan = Plan(**json.loads(os.environ.pop(_PLAN)))
    for fd in (plan.listener, plan.lock):  # for us alone: the API is given the one by name
        os.set_inheritable(fd, False)
    try:
        with socket.socket(fileno=plan.listener) as sock:
            asyncio.run(Supervisor(plan, sock).run())
    except PixelmillError as error:
        sys.exit(f"pixelmill: {error.detail}")


if __name__ == "__main__":
    main()
