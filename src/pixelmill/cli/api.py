"""`pixelmill api`: one API process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from typing import Any

import typer

from pixelmill.cli import lean
from pixelmill.cli.children import ending, leashed
from pixelmill.cli.common import check_exposure, check_queue, is_migrated, load_settings, run
from pixelmill.cli.listening import BACKLOG, address, listen
from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings

# Requests open at once. A live stream is one, and granian lets those beyond wait without a word.
_MOST_OPEN = 16_384


def api(migrate: bool = typer.Option(False, "--migrate", help="Bring the database up to date first.")) -> None:
    """Run the HTTP API and the pages. Needs a queue: `serve` brings its own."""
    lean.load()
    from pixelmill import logs

    settings = load_settings()
    check_exposure(settings)
    check_queue(settings)
    logs.configure(settings.log_level)
    # Each open request is a file: shells often allow 1024, where the system allows far more.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with listen(settings.host, settings.port) as sock:
        run(_run(settings, sock, migrate), "api")


async def _run(settings: Settings, sock: socket.socket, migrate: bool) -> None:
    import structlog
    from granian.errors import FatalError

    from pixelmill import app
    from pixelmill.api import end_streams

    log = structlog.stdlib.get_logger(__name__)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if migrate and not await is_migrated(settings):
        await _migrate()
    await app.check(settings)
    application = app.api(settings)
    gc.freeze()  # what is there by now stays: to look through it again would hold up answers by a tenth of a second
    server = _server(application, sock, settings)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    log.info("api.listening", address=address(sock))
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        end_streams(application)  # the server waits for open responses, and a stream has no end of its own
        server.stop()
        await asyncio.wait({serving}, timeout=settings.grace_seconds + 1)
    stopping.cancel()
    if not serving.done():
        log.warning("api.cut-off", why="requests were not finished within the grace period")
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(1)  # the server's own threads cannot be asked to end
    try:
        await serving
    except FatalError:  # the application did not start, and the server has logged why
        raise SystemExit(1) from None
    if not stop.is_set():
        raise SystemExit(1)


async def _migrate() -> None:
    """In a process of its own: what that needs, 10 MB, would stay in this one."""
    process = await leashed([sys.executable, "-m", "pixelmill", "migrate"])
    if code := await process.wait():
        if code < 0:  # else it has said why itself
            raise PixelmillError("unavailable", f"Bringing the database up to date was cut off by {ending(code)}.")
        raise SystemExit(1)


def _server(application: Any, sock: socket.socket, settings: Settings) -> Any:
    """granian on a socket that listens already, which its public arguments do not offer (its workers do)."""
    from granian._granian import SocketHolder
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.embed import Server

    class OnSocket(Server):
        def _init_shared_socket(self) -> None:
            holder: Any = SocketHolder  # its stub lacks the constructor's arguments
            self.__dict__["_shd"] = holder(os.dup(sock.fileno()), False, BACKLOG)  # it closes its own

    return OnSocket(
        application,
        interface=Interfaces.ASGI,
        backlog=BACKLOG,
        backpressure=_MOST_OPEN,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.header_seconds * 1000)),
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
        log_level=LogLevels.error,
    )
