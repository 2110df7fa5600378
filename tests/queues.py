"""For tests of the queue: a Valkey that a test may kill, freeze and start again, and workers on it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pixelmill.queue import Handler, Queue, Slots, Worker, embedded
from tests import servers

PATIENCE = 20.0


class Private:
    """The embedded server, in a folder that stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return embedded.url(self.folder)

    async def start(self) -> None:
        command = embedded.prepare(self.folder, embedded.program())
        self.process = subprocess.Popen(command, preexec_fn=servers.die_with_parent, start_new_session=True)
        assert await embedded.until_answers(self.folder)

    def send(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()


@pytest.fixture
async def server() -> AsyncIterator[Private]:
    with servers.folder_for("queue") as folder:  # pytest's own are long, and a socket's path must not be
        private = Private(folder)
        await private.start()
        yield private
        private.kill()


@pytest.fixture
async def queue(server: Private) -> AsyncIterator[Queue]:
    made = Queue(server.url)
    yield made
    await made.close()


@asynccontextmanager
async def working(queue: Queue, handler: Handler, *, concurrency: int = 2, **options: Any) -> AsyncIterator[Worker]:
    """A worker that runs for the length of the block."""
    worker = Worker(queue, handler, **{"slots": Slots(concurrency), **options})
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that another task or process does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = true()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)


async def counted(queue: Queue, **expected: int) -> bool:
    """Whether the queue holds so many jobs in these states, and none in others."""
    counts = await queue.counts()
    return {state: count for state, count in counts.items() if count} == expected
