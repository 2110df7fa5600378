"""What comes after the end of a batch, with the real service: told though its sender is killed, and deleted in time."""

from __future__ import annotations

import io
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests import servers

START = Callable[..., servers.Service]


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; answers only while it is ``open``."""

    def __init__(self) -> None:
        super().__init__((servers.LOOPBACK, 0), Handler)
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.open = threading.Event()

    @property
    def url(self) -> str:
        return f"http://{servers.LOOPBACK}:{self.server_port}/hook"

    def handle_error(self, request: object, client_address: object) -> None:
        """Its sender was killed: what it would print is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.open.wait()
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


def send(client: httpx.Client, photo: Path, **fields: str) -> str:
    with photo.open("rb") as file:
        answer = client.post("/process-images", files={"images": (photo.name, file)}, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batchId"])


def files(service: servers.Service) -> list[Path]:
    return [path for path in (service.data_dir / "files").rglob("*") if path.is_file()]


def test_a_message_whose_sender_is_killed_comes_again(start_service: START, receiver: Receiver, photo: Path) -> None:
    service = start_service({"PIXELMILL_WORKERS": "2", "PIXELMILL_ALLOW_HOSTS": servers.LOOPBACK})
    with httpx.Client(base_url=service.base_url, timeout=60) as client:
        batch_id = send(client, photo, callbackUrl=receiver.url)
        servers.wait_until(lambda: len(receiver.calls) == 1, "the first message")
        for pid in [pid for pid, command in service.family().items() if "worker" in command]:
            os.kill(pid, signal.SIGKILL)
        receiver.open.set()
        servers.wait_until(lambda: len(receiver.calls) == 2, "the message from the next worker")
        secret = client.get("/callback-secret").json()["secrets"][0]["secret"]
        (first, second) = (Webhook(secret).verify(body, headers) for headers, body in receiver.calls)
        assert first == second
        assert receiver.calls[0][0]["webhook-id"] == receiver.calls[1][0]["webhook-id"]
        path = f"/batches/{batch_id}/deliveries"
        servers.wait_until(lambda: client.get(path).json()["deliveries"][0]["state"] == "delivered", "the log")

        # The links in it lead to the archive, and signed ones do so without a key.
        link = client.get(f"/batches/{batch_id}", params={"signed": 60}).json()["links"]["archive"]
        archive = zipfile.ZipFile(io.BytesIO(client.get(link).content))
        assert archive.testzip() is None
        assert archive.namelist() == ["field-default.jpg", "manifest.json"]
        assert len(files(service)) == 2
        assert client.delete(f"/batches/{batch_id}", params={"purge": "true"}).status_code == 204
        assert files(service) == []
    service.stop()


def test_what_is_kept_for_a_second_is_gone_after_it(start_service: START, photo: Path) -> None:
    short = {"PIXELMILL_KEEP_ORIGINALS_SECONDS": "1", "PIXELMILL_KEEP_RESULTS_SECONDS": "1"}
    service = start_service({"PIXELMILL_WORKERS": "2", **short})
    with httpx.Client(base_url=service.base_url, timeout=60) as client:
        kept = send(client, photo, retention='{"originals": 0, "results": 0}')
        batch_id = send(client, photo)
        servers.wait_until(lambda: client.get(f"/batches/{batch_id}").status_code == 404, "its end")
        servers.wait_until(lambda: len(files(service)) == 2, "the other's result")
        assert all(kept in path.parts for path in files(service))
        assert [one["batchId"] for one in client.get("/batches").json()["batches"]] == [kept]
    service.stop()
