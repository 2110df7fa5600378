"""Processes are killed in the middle of a batch; every image ends all the same, once."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.chaos import invariants

#: Seconds from a kill to the end of the batch: the promise is 30 for what was lost, the rest is work on two cores.
PATIENCE = 90.0
START = Callable[..., servers.Service]


@pytest.fixture
def service(start_service: START) -> servers.Service:
    return start_service({"PIXELMILL_WORKERS": "2"})


@pytest.fixture
def client(service: servers.Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url, timeout=60) as client:
        yield client


def send(client: httpx.Client, photos: list[Path], count: int = 8) -> str:
    files = [("images", (f"{number}.jpg", photos[number % len(photos)].read_bytes())) for number in range(count)]
    answer = client.post("/process-images", params={"preset": "instagram"}, files=files)
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["batchId"]
    return batch_id


def until_told(client: httpx.Client, batch_id: str, event: str) -> None:
    """Wait until the batch has told ``event`` at least once."""
    with client.stream("GET", f"/batches/{batch_id}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["event"] == event:
                return


def processes(service: servers.Service, *words: str) -> list[int]:
    found = [pid for pid, command in service.family().items() if all(word in command for word in words)]
    assert found, service.family()
    return found


def children(pid: int) -> list[int]:
    """Decoders do not inherit the environment by which `processes` finds the others."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_a_worker_is_killed_in_the_middle_of_a_batch(
    service: servers.Service, client: httpx.Client, photos: list[Path]
) -> None:
    batch_id = send(client, photos)
    until_told(client, batch_id, "variant.completed")
    kill(processes(service, "pixelmill worker"))
    batch = invariants.finished(client, batch_id, PATIENCE)
    assert batch["status"] == "completed"
    invariants.check(client, batch)
    attempts = [client.get(f"/jobs/{file['jobId']}").json()["attempts"] for file in batch["files"]]
    assert any(len(tries) > 1 for tries in attempts), "nothing was interrupted: this run showed nothing"


def test_decoders_are_killed_in_the_middle_of_a_batch(
    service: servers.Service, client: httpx.Client, photos: list[Path]
) -> None:
    batch_id = send(client, photos)
    until_told(client, batch_id, "image.started")
    kill([child for worker in processes(service, "pixelmill worker") for child in children(worker)])
    batch = invariants.finished(client, batch_id, PATIENCE)
    assert batch["status"] == "completed"
    invariants.check(client, batch)


def test_valkey_is_killed_in_the_middle_of_a_batch(
    service: servers.Service, client: httpx.Client, photos: list[Path]
) -> None:
    batch_id = send(client, photos)
    until_told(client, batch_id, "image.started")
    kill(processes(service, "valkey-server"))
    also = send(client, photos, count=2)  # still accepted at once
    for one in (batch_id, also):
        batch = invariants.finished(client, one, PATIENCE)
        assert batch["status"] == "completed"
        invariants.check(client, batch)


def test_the_whole_tree_is_killed_and_started_again(start_service: START, tmp_path: Path, photos: list[Path]) -> None:
    first = start_service({"PIXELMILL_WORKERS": "2"}, data_dir=tmp_path / "kept")
    with httpx.Client(base_url=first.base_url, timeout=60) as client:
        batch_id = send(client, photos)
        until_told(client, batch_id, "variant.completed")
    first.kill()
    second = start_service({"PIXELMILL_WORKERS": "2"}, data_dir=tmp_path / "kept")
    with httpx.Client(base_url=second.base_url, timeout=60) as client:
        batch = invariants.finished(client, batch_id, PATIENCE)
        assert batch["status"] == "completed"
        invariants.check(client, batch)
    second.stop()


def test_the_api_is_killed_while_a_request_arrives(
    service: servers.Service, client: httpx.Client, photos: list[Path]
) -> None:
    data = photos[0].read_bytes()
    head = (
        "POST /process-images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(data) + 5_000_000}\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    ).encode()
    originals = service.data_dir / "files" / "originals"
    with socket.create_connection(("127.0.0.1", int(service.base_url.rpartition(":")[2]))) as connection:
        connection.sendall(head + data + bytes(2_000_000))
        servers.wait_until(originals.exists, "the first bytes on the disk")
        kill(processes(service, "pixelmill api"))
    # The sweep finds what the dead process was receiving: at once, as the new one takes over its place.
    servers.wait_until(lambda: not any(files for *_, files in os.walk(originals)), "the sweep", patience=40)
    servers.wait_until(lambda: _answers(client), "the API")
    batch = invariants.finished(client, send(client, photos, count=1), PATIENCE)
    invariants.check(client, batch)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False
