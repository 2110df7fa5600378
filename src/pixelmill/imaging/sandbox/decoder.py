"""One decoder process, from the outside: started, sent a job, heard, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from pixelmill.errors import PixelmillError
from pixelmill.imaging.sandbox import wire

START_SECONDS = 60.0
#: Bytes asked of a decoder's socket at a time, what is larger excepted.
AT_ONCE = 64 * 1024


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


class Gone(Exception):
    """The child's socket closed, or said what no child of ours says."""


class Decoder:
    """One process, from the outside."""

    def __init__(self, process: asyncio.subprocess.Process, connection: socket.socket) -> None:
        self.process = process
        self.connection = connection
        self._came = bytearray()
        self.jobs = 0
        self.held: list[str] = []

    @classmethod
    async def start(cls, memory_bytes: int, nice: int) -> Decoder:
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
            if isinstance(error, Gone | TimeoutError):
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
            raise Gone from None

    async def receive(self) -> tuple[dict[str, Any], bytearray]:
        try:
            text, size = wire.lengths(await self._exactly(wire.LENGTHS.size))
            message = json.loads(await self._exactly(text))
            data = await self._exactly(size)
        except (OSError, ValueError):
            raise Gone from None
        if not isinstance(message, dict):
            raise Gone
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
                raise Gone
            view = view[count:]
        while view:
            part = await loop.sock_recv(self.connection, AT_ONCE)
            if not part:
                raise Gone
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


def cause(status: int) -> DecoderDied:
    """The error for a process that ended with ``status`` (negative: the signal)."""
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
