"""`pixelmill serve`: everything on one machine."""

from __future__ import annotations

import asyncio
import socket

from pixelmill.cli.common import check_exposure, check_queue, listen, load_settings
from pixelmill.cli.supervisor import Supervisor, locked
from pixelmill.settings import Settings


def serve() -> None:
    """Run everything on this machine: the API with its pages, a worker, and a queue of their own."""
    settings = load_settings()
    check_exposure(settings)
    if settings.redis is not None:
        check_queue(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with locked(settings.data_dir), listen(settings.host, settings.port) as sock:
        asyncio.run(_run(settings, sock))


async def _run(settings: Settings, sock: socket.socket) -> None:
    await Supervisor(settings, sock).run()
