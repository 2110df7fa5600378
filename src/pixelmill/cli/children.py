"""A child process that is started again when it dies, and that dies when we do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LEASH = str(Path(__file__).with_name("leash.py"))

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_HEALTHY = 10.0  # seconds of life after which the next death counts as the first


class Child:
    """``command`` kept running until :meth:`stop`.

    It has a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone, who then stops its
    children in order. ``say`` is told of every death, in a sentence.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        *,
        say: Callable[[str], None],
        env: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._command = command
        self._say = say
        self._env = {**os.environ, **(env or {})}
        self._fds = fds
        self.deaths = 0
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it for the first time; raises OSError when there is no such program."""
        self._process = await self._spawn()
        self._keeping = asyncio.create_task(self._keep(self._process))

    async def stop(self, grace: float) -> bool:
        """SIGTERM, and after ``grace`` seconds SIGKILL to it and all it started; True when it went by itself."""
        self._stopping.set()
        process = self._process
        if process is None or self._keeping is None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        done, _ = await asyncio.wait({self._keeping}, timeout=grace)
        if not done:
            self.kill()
            await self._keeping
        return bool(done)

    def kill(self) -> None:
        """SIGKILL to it and to the processes of its group."""
        self._stopping.set()
        if self.pid is not None:
            for kill in (os.killpg, os.kill):  # it may not have made its group yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)

    async def _spawn(self) -> Process:
        return await leashed(self._command(), self._env, self._fds)

    async def _keep(self, process: Process) -> None:
        pause = _FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await process.wait()
            if self._stopping.is_set():
                return
            self.deaths += 1
            if time.monotonic() - started > _HEALTHY:
                pause = _FIRST_PAUSE
            self._say(f"The {self.name} process ended ({ending(code)}); it is started again in {pause:g} s.")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return
            pause = min(_LONGEST_PAUSE, pause * 2)
            process = self._process = await self._spawn()


async def leashed(command: Sequence[str], env: Mapping[str, str] | None = None, fds: Sequence[int] = ()) -> Process:
    """Start a program that dies when we do. Raises OSError when there is no such program."""
    leash = (sys.executable, "-I", "-S", LEASH, str(os.getpid()))
    return await asyncio.create_subprocess_exec(*leash, *command, stdin=DEVNULL, env=env, pass_fds=tuple(fds))


def ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
