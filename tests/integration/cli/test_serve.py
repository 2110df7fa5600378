"""`pixelmill serve` itself: what it starts, starts again and stops. The images are others' matter."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests import servers

Start = Callable[..., servers.Service]


def find(service: servers.Service, word: str) -> int | None:
    """The process of the service whose command line has this word."""
    return next((pid for pid, command in service.family().items() if word in command.split()), None)


def valkey(service: servers.Service) -> int | None:
    return next((pid for pid, command in service.family().items() if "--unixsocket" in command), None)


def ready(service: servers.Service) -> bool:
    try:
        with urllib.request.urlopen(f"{service.base_url}/readyz", timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def serve(cwd: Path, part: str = "serve", **env: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIXELMILL_", "REDIS_"))}
    command = [servers.SCRIPTS / "pixelmill", part]
    return subprocess.run(
        command, env={**kept, **env}, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_part_that_dies_is_started_again(start_service: Start) -> None:
    service = start_service()
    parts: list[tuple[str, Callable[[], int | None]]] = [
        ("the worker", lambda: find(service, "worker")),
        ("the API", lambda: find(service, "api")),
        ("Valkey", lambda: valkey(service)),
    ]
    for name, pid in parts:
        servers.wait_until(lambda pid=pid: pid() is not None, name)
        before = pid()
        assert before
        os.kill(before, signal.SIGKILL)
        servers.wait_until(lambda pid=pid, before=before: pid() not in (None, before), f"another one of {name}")
        servers.wait_until(lambda: ready(service), "the service")
    log = service.log.read_text()
    for name in ("worker", "API", "queue"):
        assert f"The {name} process ended (signal SIGKILL)" in log
    service.stop(signal.SIGINT)
    assert "Stopped." in service.log.read_text()


def test_a_caller_is_not_refused_while_the_api_is_away(start_service: Start) -> None:
    service = start_service()
    pid = find(service, "api")
    assert pid
    os.kill(pid, signal.SIGKILL)
    servers.wait_until(lambda: find(service, "api") != pid, "the end of the API")
    with urllib.request.urlopen(f"{service.base_url}/livez", timeout=30) as answer:  # it waits, and is answered
        assert answer.status == 200
    service.stop()


def test_requests_go_before_work_and_recording_before_decoding(start_service: Start) -> None:
    service = start_service()

    def niceness(pid: int) -> int:
        with suppress(ProcessLookupError):  # a decoder may be replaced meanwhile
            return os.getpriority(os.PRIO_PROCESS, pid)
        return -1

    def decoders(worker: int) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()]

    api = find(service, "api")
    assert api
    servers.wait_until(lambda: find(service, "worker"), "the worker")
    worker = find(service, "worker")
    assert worker
    servers.wait_until(lambda: niceness(worker) == min(19, niceness(api) + 5), "the worker's niceness")
    servers.wait_until(
        lambda: max(map(niceness, decoders(worker)), default=0) == min(19, niceness(api) + 10), "that of the decoders"
    )
    service.stop()


def test_stopped_while_it_becomes_the_supervisor(tmp_path: Path) -> None:
    """A signal between the two programs waits until everything can be stopped in order."""
    env = servers.service_env(servers.free_port(), tmp_path / "data", "early", {})
    command = [servers.SCRIPTS / "pixelmill", "serve"]
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    line = Path(f"/proc/{process.pid}/cmdline")
    servers.wait_until(lambda: b"supervisor" in line.read_bytes(), "the supervisor")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Stopped." in said and "Traceback" not in said


def test_nothing_is_left_when_it_is_killed(start_service: Start) -> None:
    service = start_service()
    servers.wait_until(lambda: find(service, "worker") is not None, "the worker")
    assert len(service.family()) >= 4
    assert "valkey" not in service.family()[service.pid]  # who looks for that by its name is not to find the supervisor
    os.kill(service.pid, signal.SIGKILL)
    service.process.wait()
    servers.wait_until(lambda: not service.family(), "the end of its children")
    # and nothing it left is in the way of the next one on the same folder
    again = start_service(data_dir=service.data_dir)
    again.stop()


def test_a_data_folder_is_served_once(start_service: Start, tmp_path: Path) -> None:
    service = start_service()
    second = serve(tmp_path, PIXELMILL_PORT="0", PIXELMILL_DATA_DIR=str(service.data_dir))
    assert second.returncode == 1
    assert f"Another pixelmill serve (process {service.pid}) uses" in second.stderr
    assert "Traceback" not in second.stderr
    assert ready(service)
    service.stop()


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = serve(tmp_path, PIXELMILL_PORT=str(port), PIXELMILL_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"pixelmill: Port {port} is in use on 127.0.0.1. Stop what uses it, or set PIXELMILL_PORT to another."
    )


@pytest.mark.parametrize("part", ["serve", "api"])
def test_it_is_not_open_to_all_by_mistake(part: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    done = serve(tmp_path, part, PIXELMILL_PORT="0", PIXELMILL_HOST="0.0.0.0", PIXELMILL_DATA_DIR=folder)
    assert done.returncode == 1
    assert "PIXELMILL_OPEN=true" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["serve", "api", "worker", "migrate"])
def test_each_command_explains_itself(command: str) -> None:
    done = subprocess.run(
        [servers.SCRIPTS / "pixelmill", command, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert command in done.stdout


def test_redis_of_ones_own(start_service: Start, valkey_url: str) -> None:
    service = start_service({"REDIS_URL": valkey_url})
    assert valkey(service) is None
    assert not (service.data_dir / "queue").exists()
    service.stop()


def test_a_database_that_is_not_there_is_said_and_not_tried_for_ever(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://me:hunter2@127.0.0.1:{servers.free_port()}/pictures"
    data_dir = str(tmp_path / "data")
    done = serve(tmp_path, PIXELMILL_PORT="0", PIXELMILL_DATA_DIR=data_dir, DATABASE_URL=url)
    assert done.returncode == 1
    assert "The API does not start." in done.stderr
    assert "api.cannot-run" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Stopped." in done.stderr


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_database_without_tables_is_said(part: str, tmp_path: Path, valkey_url: str) -> None:
    done = serve(tmp_path, part, PIXELMILL_PORT="0", PIXELMILL_DATA_DIR=str(tmp_path / "data"), REDIS_URL=valkey_url)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert f"{part}.cannot-run" in said
    assert "pixelmill migrate" in said
    assert "Traceback" not in said
