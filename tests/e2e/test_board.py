"""bull-board and Arena list our jobs, and their button for retry is a replay."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import LOOPBACK, MODULES, ROOT, Service, die_with_parent, find_program, wait_until


class Board:
    def __init__(self, port: int) -> None:
        self.client = httpx.Client(base_url=f"http://{LOOPBACK}:{port}/board", timeout=30)

    def jobs(self, status: str) -> list[dict[str, Any]]:
        asked = {"activeQueue": "images", "status": status, "page": 1, "jobsPerPage": 20}
        (queue,) = self.client.get("/api/queues", params=asked).raise_for_status().json()["queues"]
        jobs: list[dict[str, Any]] = queue["jobs"]
        return jobs

    def retry(self, job_id: str) -> None:
        self.client.put(f"/api/queues/images/{job_id}/retry").raise_for_status()


class Arena(Board):
    def jobs(self, status: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.client.get(f"/valkey/images/{status}.json").raise_for_status().json()
        return jobs

    def retry(self, job_id: str) -> None:
        self.client.patch(f"/api/queue/valkey/images/job/{job_id}").raise_for_status()


@pytest.fixture(params=[Board, Arena])
def board(request: pytest.FixtureRequest, valkey_url: str) -> Iterator[Board]:
    package, script = ("bull-arena", "arena.cjs") if request.param is Arena else ("@bull-board", "board.cjs")
    if not (MODULES / package).is_dir():
        pytest.skip(f"{package} is not on this machine: see `make tools`")
    command = [find_program("node"), str(ROOT / "tests/e2e" / script), valkey_url]
    env = {**os.environ, "NODE_PATH": str(MODULES)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, preexec_fn=die_with_parent) as process:
        assert process.stdout
        board: Board = request.param(int(process.stdout.readline()))
        yield board
        board.client.close()
        process.kill()


def test_jobs_are_listed_and_retried(
    board: Board, start_service: Callable[..., Service], valkey_url: str, photo: Path
) -> None:
    service = start_service({"REDIS_URL": valkey_url, "PIXELMILL_WORKERS": "1"})
    whole = photo.read_bytes()
    files = [("images", ("good.jpg", whole)), ("images", ("cut.jpg", whole[:100_000]))]
    with httpx.Client(base_url=service.base_url, timeout=30) as client:
        url = client.post("/process-images", files=files, data={"preset": "thumbnail"}).json()["statusUrl"]
        wait_until(lambda: client.get(url).json()["status"] == "completed-with-errors", "the batch")
        by_name = {file["originalName"]: file["jobId"] for file in client.get(url).json()["files"]}

        def told() -> bool:  # the record is written first, then the queue is told
            return len(board.jobs("completed")) == len(board.jobs("failed")) == 1

        wait_until(told, "both jobs")
        (good,), (bad,) = board.jobs("completed"), board.jobs("failed")
        assert (good["name"], good["data"]) == ("process", {"imageId": by_name["good.jpg"], "generation": 1})
        assert bad["data"]["imageId"] == by_name["cut.jpg"]
        assert bad["failedReason"].startswith("corrupt-image: ")

        board.retry(bad["id"])
        job = f"/jobs/{by_name['cut.jpg']}"
        wait_until(lambda: len(client.get(job).json()["attempts"]) == 2, "another try")
        wait_until(lambda: client.get(url).json()["status"] == "completed-with-errors", "the batch again")
        wait_until(lambda: [one["data"]["generation"] for one in board.jobs("failed")] == [2], "its failed job")
        assert len(client.get(job).json()["attempts"]) == 2
    service.stop()
