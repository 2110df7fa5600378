"""Waiting for the disk without a thread.

A thread gives up Python's lock to wait, and gets it back only after whoever runs Python meanwhile: where much happens,
that takes longer than the disk. Linux waits by itself (io_submit(2), ``IOCB_CMD_FSYNC`` of 4.18) and wakes the event
loop when it is done. Where it does not (another system, a sandbox, no room for more) threads do.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import os
from concurrent.futures import Executor
from typing import Any

linux_aio: Any = None
with contextlib.suppress(ImportError):
    linux_aio = importlib.import_module("caio.linux_aio")

#: Syncs that the kernel is asked for at a time; ``fs.aio-max-nr`` bounds those of all processes.
MOST = 256
_NUMBERS = {os.strerror(number): number for number in errno.errorcode}


class Disk:
    """Syncs for one part of the service, on one event loop. ``threads`` do it instead (None: those of the loop)."""

    def __init__(self, threads: Executor | None = None) -> None:
        self._threads = threads
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kernel: Any = None
        self._begun: set[asyncio.Future[None]] = set()

    async def fsync(self, fd: int) -> None:
        """fsync(2). Goes on when the caller is canceled, as it would in a thread. Raises OSError."""
        await self._wait(fd, "fsync")

    async def fdatasync(self, fd: int) -> None:
        """fdatasync(2), likewise."""
        await self._wait(fd, "fdatasync")

    async def close(self) -> None:
        """Waits for the syncs that are begun. The next one would begin anew."""
        while self._begun:
            await asyncio.wait(self._begun)
        self._leave()

    def _leave(self) -> None:
        if self._kernel is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._kernel.fileno)
        self._kernel = self._loop = None
        self._begun = set()

    async def _wait(self, fd: int, what: str) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._begin(loop)
        if self._kernel is not None:
            make = linux_aio.Operation.fdsync if what == "fdatasync" else linux_aio.Operation.fsync
            if await self._by_kernel(loop, make(fd)):
                return
        await loop.run_in_executor(self._threads, getattr(os, what), fd)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._leave()
        self._loop = loop
        if linux_aio is None:
            return
        try:
            self._kernel = linux_aio.Context(max_requests=MOST)
        except Exception:  # caio has a kind for each: forbidden, unknown, as many as there may be
            return
        os.set_inheritable(self._kernel.fileno, False)  # no process that is started has a say in it
        loop.add_reader(self._kernel.fileno, self._ready, self._kernel)

    @staticmethod
    def _ready(kernel: Any) -> None:
        with contextlib.suppress(BlockingIOError):  # several ends were told together, and seen at the first look
            kernel.poll()
        with contextlib.suppress(SystemError):  # a signal came while nothing was there to be told
            while kernel.process_events():
                pass

    async def _by_kernel(self, loop: asyncio.AbstractEventLoop, operation: Any) -> bool:
        """Whether it was done. False: it was not begun.

        Raises OSError when it failed: another try would be told nothing of that, and succeed.
        """
        done: asyncio.Future[None] = loop.create_future()

        def ended(_: Any) -> None:
            if not done.done():
                done.set_result(None)

        operation.set_callback(ended)
        try:
            if self._kernel.submit(operation) != 1:
                return False
        except Exception:  # no room, or no file for it: a thread does it, or says what is wrong
            return False
        self._begun.add(done)
        try:
            await asyncio.shield(done)
        finally:
            done.add_done_callback(self._begun.discard)
        try:
            operation.get_value()
        except SystemError as error:  # caio's, with the text of the number
            raise OSError(_NUMBERS.get(str(error), errno.EIO), str(error)) from None
        return True
