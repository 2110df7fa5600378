"""The queue's server is lost under load: away for a while, or emptied. Uploads are taken all the same, and all is made.

Which photo is sent when, and when the server goes, is drawn from a seed; PIXELMILL_TEST_SEED and
PIXELMILL_TEST_AWAY_SECONDS (30 for the long form) set them.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from pixelmill.queue import embedded
from tests import servers
from tests.chaos import invariants

START = Callable[..., servers.Service]
PATIENCE = 180.0
SEED = int(os.environ.get("PIXELMILL_TEST_SEED", "5"))
AWAY = float(os.environ.get("PIXELMILL_TEST_AWAY_SECONDS", "3"))


class Load:
    """One client after the other sends photos until told to stop; every answer must be 202."""

    def __init__(self, service: servers.Service, photos: list[Path], seed: int) -> None:
        self._url = service.base_url
        self._photos = [photo.read_bytes() for photo in photos]
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.batches: list[str] = []
        self.refused: list[str] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, more: int) -> None:
        """Until so many more batches were answered."""
        wanted = len(self.batches) + more
        servers.wait_until(lambda: len(self.batches) >= wanted or bool(self.refused), "the load", PATIENCE)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stop.is_set():
                some = self._random.choices(self._photos, k=self._random.randint(1, 3))
                files = [("images", (f"{number}.jpg", data)) for number, data in enumerate(some)]
                answer = client.post("/process-images", files=files, params={"preset": "thumbnail"})
                if answer.status_code == 202:
                    self.batches.append(answer.json()["batchId"])
                else:
                    self.refused.append(f"{answer.status_code} {answer.text}")
                self._stop.wait(self._random.uniform(0.05, 0.3))


@pytest.fixture
def service(start_service: START) -> servers.Service:
    # Nothing is borrowed from an earlier image: each is to be made.
    return start_service({"PIXELMILL_WORKERS": "2", "PIXELMILL_REUSE": "false"})


@pytest.fixture
def client(service: servers.Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url, timeout=60) as client:
        yield client


def valkey(service: servers.Service) -> int:
    (pid,) = (pid for pid, command in service.family().items() if "valkey-server" in command)
    return pid


def all_is_made(client: httpx.Client, load: Load) -> None:
    assert load.refused == []
    for batch_id in load.batches:
        batch = invariants.finished(client, batch_id, PATIENCE)
        assert batch["status"] == "completed", batch
        invariants.check(client, batch)


def test_the_queue_is_away_for_a_while(service: servers.Service, client: httpx.Client, photos: list[Path]) -> None:
    """It stands still, which is worse than refusing: whoever asks it waits."""
    with Load(service, photos, SEED) as load:
        load.wait(2)
        pid = valkey(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            away = time.monotonic()
            load.wait(2)
            time.sleep(max(0.0, AWAY - (time.monotonic() - away)))
        finally:
            os.kill(pid, signal.SIGCONT)
        load.wait(2)
    all_is_made(client, load)


def test_the_queue_is_emptied(service: servers.Service, client: httpx.Client, photos: list[Path]) -> None:
    with Load(service, photos, SEED + 1) as load, redis.Redis.from_url(embedded.url(service.data_dir)) as server:
        for _ in range(2):
            load.wait(3)
            server.flushall()
        load.wait(2)
    all_is_made(client, load)
