"""The parent's side of the sandbox: a pool of decoder processes, each with one job at a time.

The source goes over as a file descriptor, so its bytes never pass through this process; results come back in frames
and are handed on one by one, so the memory of this process stays flat.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from pixelmill.errors import CODES, PixelmillError
from pixelmill.imaging.results import Limits, Progress, Result
from pixelmill.imaging.sandbox import wire
from pixelmill.imaging.sandbox.decoder import Decoder, DecoderDied, Gone, cause
from pixelmill.imaging.sandbox.places import Home, Places

if TYPE_CHECKING:
    from pixelmill.recipes import Recipe

#: Seconds that anything waits for a decoder before those for what is urgent are started.
MOMENT = 1.0
#: By so much less nice are the decoders for what is urgent: three times the CPU of another, where it is short.
HURRY = 5


class Decoders:
    """A pool of ``size`` decoder processes, and ``urgent`` more for what must not wait until one of these is free.

    These compete for the CPU with the others at a niceness that is :data:`HURRY` less. They are started with the first
    job to go past, or once one has waited for :data:`MOMENT`: where all are urgent and short, none is needed.

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
        self._recycle_jobs = recycle_jobs
        self._recycle_bytes = recycle_bytes
        self._places = Places(nice, max(0, nice - HURRY))
        self._unstarted = urgent
        self._children: set[Decoder] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Start ``size`` processes; returns when each has locked itself in."""
        idle = self._places.idle
        for child in await asyncio.gather(*(self._spawn(idle) for _ in range(self.size))):
            self._places.put(idle, child)

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
        if not urgent:
            self._start_spare()
        home, child = await self._take(urgent)
        finished = False
        last: dict[str, Any] = {}
        try:
            await child.send(
                {
                    "recipe": recipe.text,
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
        except (Gone, ValueError):
            status = await child.kill()
            raise cause(status) from None
        finally:
            self._give(home, child, last if finished else None)
        if last["kind"] == "error":
            code = last["code"] if last["code"] in CODES else "internal-error"
            raise PixelmillError(code, str(last["detail"]), dict(last.get("extra") or {}))

    async def _take(self, urgent: bool) -> tuple[Home, Decoder]:
        timer = asyncio.get_running_loop().call_later(MOMENT, self._start_spare)
        try:
            return await self._taken(urgent)
        finally:
            timer.cancel()

    async def _taken(self, urgent: bool) -> tuple[Home, Decoder]:
        while True:
            home, child = await self._places.take(urgent)
            if child is None:  # its replacement could not be started: the one who waits tries
                try:
                    child = await self._spawn(home)
                except BaseException:
                    self._places.put(home, None)
                    raise
            if child.alive():
                child.jobs += 1
                return home, child
            self._retire(home, child)

    def _give(self, home: Home, child: Decoder, last: dict[str, Any] | None) -> None:
        """Back to the pool, or out of it: a child that did not finish its job is ended."""
        if self._closed:
            return
        used_up = child.jobs >= self._recycle_jobs or (last or {}).get("rss", 0) > self._recycle_bytes
        if last is not None and not used_up and last.get("code") != "out-of-memory":
            self._places.put(home, child)
        else:
            self._retire(home, child)

    def _start_spare(self) -> None:
        while self._unstarted and not self._closed:
            self._unstarted -= 1
            self._aside(self._fill(self._places.spare))

    def _retire(self, home: Home, child: Decoder) -> None:
        self._aside(self._replace(home, child))

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """In a task of its own: whoever waits for a process may be canceled, and its place must not go with him."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self, home: Home, child: Decoder) -> None:
        await child.kill()
        self._children.discard(child)
        await self._fill(home)

    async def _fill(self, home: Home) -> None:
        try:
            self._places.put(home, await self._spawn(home))
        except Exception:
            self._places.put(home, None)

    async def _spawn(self, home: Home) -> Decoder:
        child = await Decoder.start(self.limits.memory_bytes, home.nice)
        self._children.add(child)
        return child


__all__ = ["DecoderDied", "Decoders"]
