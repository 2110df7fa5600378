"""The parent's side of the sandbox: a pool of decoder processes, each with one job at a time.

The source goes over as a file descriptor, so its bytes never pass through this process; results come back in frames
and are handed on one by one, so the memory of this process stays flat.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from pixelmill.errors import CODES, PixelmillError
from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Progress, Result
from pixelmill.imaging.sandbox import wire

if TYPE_CHECKING:
    from pixelmill.recipes import Recipe

START_SECONDS = 60.0
#: Bytes asked of a decoder's socket at a time, what is larger excepted.
AT_ONCE = 64 * 1024
#: By so much less nice are the decoders for what is urgent: three times the CPU of another, where it is short.
HURRY = 5


class DecoderDied(PixelmillError):
    """A decoder process ended in the middle of a job. ``signal`` is what ended it, 0 when it ended by itself.

    The code is ``timeout`` when we ended it for its deadline, ``out-of-memory`` when it reported that before, and
    otherwise ``decoder-died``.
    """

    def __init__(self, signal: int, code: str = "decoder-died", detail: str = "") -> None:
        super().__init__(code, detail, {"signal": signal})
        self.signal = signal

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.signal, self.code, self.detail)


class _Gone(Exception):
    """The child's socket closed, or said what no child of ours says."""


class _Child:
    """One process, from the outside."""

    def __init__(self, process: asyncio.subprocess.Process, connection: socket.socket) -> None:
        self.process = process
        self.connection = connection
        self._came = bytearray()
        self.jobs = 0
        self.held: list[str] = []

    @classmethod
    async def start(cls, memory_bytes: int, nice: int) -> _Child:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-s", "-P", "-m", "pixelmill.imaging.sandbox.child",
                str(theirs.fileno()), str(os.getpid()), str(memory_bytes), str(nice),
                pass_fds=(theirs.fileno(),), env=_environment(), cwd="/",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        child = cls(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                message, _ = await child.receive()
            child.held = [str(name) for name in message.get("held", [])]
        except BaseException as error:
            await child.kill()
            if isinstance(error, _Gone | TimeoutError):
                raise PixelmillError("decoder-died", "A decoder process could not be started.") from None
            raise
        return child

    def alive(self) -> bool:
        """Whether it waits for a job: it has not ended, nor closed its socket, nor said anything unasked."""
        if self.process.returncode is not None or self._came:
            return False
        try:
            self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def send(self, message: dict[str, Any], fd: int) -> None:
        frame = memoryview(wire.head(message))
        lengths, rest = frame[: wire.LENGTHS.size], frame[wire.LENGTHS.size :]
        try:
            socket.send_fds(self.connection, [lengths], [fd])
            await asyncio.get_running_loop().sock_sendall(self.connection, rest)
        except OSError:
            raise _Gone from None

    async def receive(self) -> tuple[dict[str, Any], bytearray]:
        try:
            text, size = wire.lengths(await self._exactly(wire.LENGTHS.size))
            message = json.loads(await self._exactly(text))
            data = await self._exactly(size)
        except (OSError, ValueError):
            raise _Gone from None
        if not isinstance(message, dict):
            raise _Gone
        return message, data

    async def _exactly(self, size: int) -> bytearray:
        """What is small comes together with what follows; what is large goes straight to where it stays."""
        loop = asyncio.get_running_loop()
        buffer = bytearray(size)
        held = min(size, len(self._came))
        buffer[:held] = self._came[:held]
        del self._came[:held]
        view = memoryview(buffer)[held:]
        while len(view) >= AT_ONCE:
            count = await loop.sock_recv_into(self.connection, view)
            if not count:
                raise _Gone
            view = view[count:]
        while view:
            part = await loop.sock_recv(self.connection, AT_ONCE)
            if not part:
                raise _Gone
            count = min(len(part), len(view))
            view[:count] = part[:count]
            self._came += part[count:]
            view = view[count:]
        return buffer

    async def kill(self) -> int:
        """End it at once; its exit status (negative: the signal)."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                # Not by its own kill(): that looks first whether it has ended, takes its exit status if so, and then
                # asyncio, which waits for the same process, finds none and says 255.
                os.kill(self.process.pid, signal.SIGKILL)
        try:
            return await self.process.wait()
        finally:
            self.connection.close()


class _Places(asyncio.LifoQueue["_Child | None"]):
    """Where decoders of one kind wait for work; None stands for one that is still to be started."""

    def __init__(self, nice: int) -> None:
        super().__init__()
        self.nice = nice


class Decoders:
    """A pool of ``size`` decoder processes, and ``urgent`` more for what must not wait until one of these is free.

    These compete for the CPU with the others at a niceness that is :data:`HURRY` less.

    ``recycle_jobs`` and ``recycle_bytes``: a process is replaced after so many jobs, or when it holds more memory.
    """

    def __init__(
        self,
        size: int,
        limits: Limits | None = None,
        *,
        urgent: int = 0,
        nice: int = 0,
        recycle_jobs: int = 1000,
        recycle_bytes: int = 768 * 1024 * 1024,
    ) -> None:
        self.size = size
        self.limits = limits or Limits()
        self._urgent = urgent
        self._recycle_jobs = recycle_jobs
        self._recycle_bytes = recycle_bytes
        self._idle = _Places(nice)
        self._spare = _Places(max(0, nice - HURRY))
        self._children: set[_Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Start all processes; returns when each has locked itself in."""
        places = [self._idle] * self.size + [self._spare] * self._urgent
        for home, child in zip(places, await asyncio.gather(*map(self._spawn, places)), strict=True):
            home.put_nowait(child)

    async def close(self) -> None:
        """End every process, busy or not."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(child.kill() for child in self._children))
        self._children.clear()

    async def __aenter__(self) -> Decoders:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pids(self) -> list[int]:
        """The processes there are now."""
        return [child.process.pid for child in self._children]

    @property
    def held(self) -> list[str]:
        """The layers of the sandbox that hold in every process."""
        layers = [set(child.held) for child in self._children]
        return sorted(set.intersection(*layers)) if layers else []

    async def make(
        self,
        source: BinaryIO,
        recipe: Recipe,
        variants: Sequence[str],
        limits: Limits | None = None,
        *,
        urgent: bool = False,
    ) -> AsyncGenerator[Result, None]:
        """Yield :class:`Inspected`, then :class:`Made` or :class:`NotMade` for each of ``variants`` when finished.

        ``source`` needs a file descriptor; it is mapped in the child. Raises :class:`PixelmillError` when the image
        as a whole cannot be used, :class:`DecoderDied` when the process ended or was ended for its deadline
        (``limits.seconds`` for each variant, and once for the header). An iterator closed early ends its process.
        """
        limits = limits or self.limits
        fd = source.fileno()
        home = self._spare if urgent and self._idle.empty() and not self._spare.empty() else self._idle
        child = await self._take(home)
        finished = False
        last: dict[str, Any] = {}
        try:
            await child.send(
                {
                    "recipe": recipe.model_dump(mode="json", by_alias=True, exclude_none=True),
                    "variants": list(variants),
                    "limits": asdict(replace(limits, memory_bytes=self.limits.memory_bytes)),
                },
                fd,
            )
            deadline = asyncio.get_running_loop().time() + limits.seconds
            while True:
                async with asyncio.timeout_at(deadline):
                    message, data = await child.receive()
                if message.get("kind") in ("done", "error"):
                    finished, last = True, message
                    break
                result = wire.unpack(message, data)
                yield result
                if not isinstance(result, Progress):
                    deadline = asyncio.get_running_loop().time() + limits.seconds
        except TimeoutError:
            await child.kill()
            detail = f"A variant took longer than {limits.seconds:g} seconds."
            raise DecoderDied(signal.SIGKILL, "timeout", detail) from None
        except (_Gone, ValueError):
            status = await child.kill()
            raise _cause(status) from None
        finally:
            self._give(home, child, last if finished else None)
        if last["kind"] == "error":
            code = last["code"] if last["code"] in CODES else "internal-error"
            raise PixelmillError(code, str(last["detail"]), dict(last.get("extra") or {}))

    async def _take(self, home: _Places) -> _Child:
        while True:
            child = await home.get()
            if child is None:  # its replacement could not be started: the one who waits tries
                try:
                    child = await self._spawn(home)
                except BaseException:
                    home.put_nowait(None)
                    raise
            if child.alive():
                child.jobs += 1
                return child
            self._retire(home, child)

    def _give(self, home: _Places, child: _Child, last: dict[str, Any] | None) -> None:
        """Back to the pool, or out of it: a child that did not finish its job is ended."""
        if self._closed:
            return
        used_up = child.jobs >= self._recycle_jobs or (last or {}).get("rss", 0) > self._recycle_bytes
        if last is not None and not used_up and last.get("code") != "out-of-memory":
            home.put_nowait(child)
        else:
            self._retire(home, child)

    def _retire(self, home: _Places, child: _Child) -> None:
        """In a task of its own: whoever waits for a process may be canceled, and its place must not go with him."""
        task = asyncio.create_task(self._replace(home, child))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self, home: _Places, child: _Child) -> None:
        await child.kill()
        self._children.discard(child)
        try:
            home.put_nowait(await self._spawn(home))
        except Exception:
            home.put_nowait(None)

    async def _spawn(self, home: _Places) -> _Child:
        child = await _Child.start(self.limits.memory_bytes, home.nice)
        self._children.add(child)
        return child


def _cause(status: int) -> DecoderDied:
    ended = -status if status < 0 else 0
    if ended == signal.SIGXCPU:
        return DecoderDied(ended, "timeout", "The decoder used up its CPU time.")
    name = signal.Signals(ended).name if ended else f"status {status}"
    return DecoderDied(ended, "decoder-died", f"The decoder process ended by {name}.")


def _environment() -> dict[str, str]:
    """Nothing of ours that a decoder has no business with: no keys, no addresses."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "2",
        "VIPS_CONCURRENCY": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "G_MESSAGES_DEBUG": "",
        "VIPS_WARNING": "0",
    }


__all__ = ["DecoderDied", "Decoders", "Inspected", "Made", "NotMade"]
