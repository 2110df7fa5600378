"""`pixelmill worker`: one worker process, on as many machines as there are."""

from __future__ import annotations

import asyncio
import gc
import os
import signal

from pixelmill.cli import lean
from pixelmill.cli.common import check_queue, load_settings, run
from pixelmill.settings import Settings


def worker() -> None:
    """Run a worker: it takes images from the queue and makes their variants."""
    lean.load()
    from pixelmill import logs

    settings = load_settings()
    check_queue(settings)
    logs.configure(settings.log_level)
    run(_run(settings), "worker")


async def _run(settings: Settings) -> None:
    from pixelmill import app

    os.nice(app.niceness(settings))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gc.freeze()  # what is there by now stays: looked through again and again, it would hold up every job
    await app.worker(settings, stop)
