"""A Node service adds jobs by BullMQ's own package, and Pixelmill adopts them."""

from __future__ import annotations

import functools
import http.server
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import LOOPBACK, MODULES, ROOT, Service, find_program, wait_until

RECIPE = {
    "variants": [
        {"name": "small", "steps": [{"op": "resize", "width": 200}], "output": {"format": "webp"}},
        {"name": "large", "steps": [{"op": "resize", "width": 2000}], "output": {"format": "jpeg"}},
    ]
}


class Node:
    """One version of the npm package `bullmq`."""

    def __init__(self, package: str, redis_url: str) -> None:
        self._package, self._url = package, redis_url

    def start(self, **asked: Any) -> subprocess.Popen[bytes]:
        command = [find_program("node"), ROOT / "tests/e2e/queue.cjs", self._package, self._url, json.dumps(asked)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "NODE_PATH": str(MODULES)})

    def __call__(self, **asked: Any) -> dict[str, Any]:
        with self.start(**asked) as process:
            return self.answer(process)

    @staticmethod
    def answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
        output, _ = process.communicate(timeout=150)
        assert process.returncode == 0
        answer: dict[str, Any] = json.loads(output)
        return answer


@pytest.fixture(params=["bullmq", "bullmq6"])
def node(request: pytest.FixtureRequest, valkey_url: str) -> Node:
    if not (MODULES / request.param).is_dir():
        pytest.skip(f"{request.param} is not on this machine: see `make tools`")
    return Node(request.param, valkey_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


@pytest.fixture
def shop(folder: Path) -> Iterator[str]:
    """A site with the files of ``folder``, which is what a Node service would name."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def service(start_service: Callable[..., Service], valkey_url: str) -> Service:
    return start_service(
        {
            "REDIS_URL": valkey_url,
            "PIXELMILL_ALLOW_HOSTS": LOOPBACK,
            "PIXELMILL_WORKERS": "1",
            "PIXELMILL_RETRY_SECONDS": "0.2",
        }
    )


def batches(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{service.base_url}/batches").raise_for_status().json()["batches"]
    return found


def test_a_job_of_node_is_a_batch_and_gets_its_results(
    service: Service, node: Node, shop: str, folder: Path, photo: Path
) -> None:
    (folder / "a photo.jpg").write_bytes(photo.read_bytes())
    data = {"url": f"{shop}/a%20photo.jpg", "recipe": RECIPE, "metadata": {"order": 7}}
    answer = node(data=data)
    value = answer["value"]
    assert (value["format"], len(value["variants"])) == ("jpeg", 2)
    for variant in value["variants"]:
        got = httpx.get(f"{service.base_url}{variant['url']}").raise_for_status()
        assert got.headers["content-type"] == variant["contentType"]
        assert len(got.content) == variant["bytes"]
    status = httpx.get(f"{service.base_url}{value['statusUrl']}").json()
    assert (status["status"], status["metadata"]) == ("completed", {"order": 7})
    assert status["files"][0]["originalName"] == "a photo.jpg"

    # An object that is in storage already, by its key
    key = status["files"][0]["result"]["outputPath"]
    assert node(data={"key": key, "preset": "thumbnail"})["value"]["format"] == "webp"
    assert len(batches(service)) == 2


def test_what_cannot_be_made_fails_with_its_code(service: Service, node: Node, shop: str, folder: Path) -> None:
    (folder / "text.jpg").write_text("no picture")
    (folder / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(6_000_000))
    for data, code in [
        ({"url": "http://169.254.169.254/latest/"}, "address-refused"),
        ({"url": "file:///etc/passwd"}, "address-refused"),
        ({"key": "../../etc/passwd"}, "bad-request"),
        ({"url": shop, "preset": "none"}, "unknown-preset"),
        ({"url": shop, "recipe": {"variants": []}}, "bad-recipe"),
        ({"url": shop, "recipe": RECIPE, "preset": "web"}, "bad-request"),
        ({"url": shop, "colour": "red"}, "bad-request: The job's data is wrong: colour"),
        ({}, "bad-request"),
    ]:
        assert code in node(data=data)["failed"], data
    assert "bad-request" in node(job="resize", data={"url": shop})["failed"]
    assert batches(service) == []
    for data, code in [
        ({"url": f"{shop}/none.jpg"}, "source-refused"),
        ({"url": f"{shop}/text.jpg"}, "unsupported-format"),
        ({"url": f"{shop}/large.jpg"}, "too-large"),
        ({"key": "originals/none"}, "source-refused"),
    ]:
        assert code in node(data=data)["failed"], data
    assert len(batches(service)) == 4  # what was asked for properly is in the record


def test_retry_in_a_board_does_it_again(service: Service, node: Node, shop: str, folder: Path, photo: Path) -> None:
    failed = node(data={"url": f"{shop}/late.jpg", "preset": "thumbnail"})
    assert "source-refused" in failed["failed"]
    assert "source-refused" in node(retry=failed["id"])["failed"]
    (folder / "late.jpg").write_bytes(photo.read_bytes())
    assert node(retry=failed["id"])["value"]["format"] == "jpeg"
    (batch,) = batches(service)
    job = httpx.get(f"{service.base_url}/batches/{batch['batchId']}").json()["files"][0]["jobId"]
    assert len(httpx.get(f"{service.base_url}/jobs/{job}").json()["attempts"]) == 3  # one a press, no more


def test_a_worker_that_dies_in_the_middle_leaves_one_batch(
    service: Service, node: Node, shop: str, folder: Path, photos: list[Path]
) -> None:
    large = next(path for path in photos if path.name == "field-16mp.jpg")
    (folder / "large.jpg").write_bytes(large.read_bytes())
    slow = {
        "variants": [
            {"name": "a", "steps": [{"op": "resize", "width": 1600}], "output": {"format": "avif", "effort": 4}}
        ]
    }
    with node.start(data={"url": f"{shop}/large.jpg", "recipe": slow}) as waiting:
        wait_until(lambda: any(batch["progress"]["active"] for batch in batches(service)), "the image in work")
        (worker,) = (pid for pid, command in service.family().items() if command.endswith("worker"))
        os.kill(worker, signal.SIGKILL)
        value = node.answer(waiting)["value"]
    assert value["variants"][0]["state"] == "completed"
    (batch,) = batches(service)
    assert batch["batchId"] == value["batchId"]
