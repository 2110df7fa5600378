"""API and workers on machines of their own, which share Redis, SQL and S3, and no folder."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.namespaces import Machine, machines, need_root
from tests.servers import S3, free_port, wait_until

#: Work for some seconds on each photo, so that a cable can be pulled in the middle.
SLOW = json.dumps(
    {
        "variants": [
            {"name": "a", "steps": [{"op": "resize", "width": 2400}], "output": {"format": "avif", "effort": 4}},
            {"name": "b", "steps": [{"op": "resize", "width": 400}], "output": {"format": "webp"}},
        ]
    }
)
PATIENCE = 240.0

pytestmark = pytest.mark.parametrize("database_url", ["postgres", "mariadb"], indirect=True)


class Cluster:
    def __init__(self, api: Machine, one: Machine, two: Machine, shared: dict[str, str], s3: S3) -> None:
        self.api, self.one, self.two = api, one, two
        self._shared, self._s3 = shared, s3
        self._prefix = uuid.uuid4().hex
        port = free_port()
        self.client = httpx.Client(base_url=f"http://{api.address}:{port}", timeout=30, follow_redirects=True)
        api.run(["api", "--migrate"], {**self.env(api), "PIXELMILL_PORT": str(port), "PIXELMILL_OPEN": "true"})
        wait_until(self._ready, "the API")

    def env(self, machine: Machine) -> dict[str, str]:
        """All that a machine is told."""
        return {
            **{name: machine.reach(url) for name, url in self._shared.items()},
            **self._s3.env(),
            "AWS_ENDPOINT_URL": machine.reach(self._s3.endpoint),
            "PIXELMILL_STORAGE_URL": f"s3://{self._s3.bucket}/{self._prefix}",
            "PIXELMILL_HOST": machine.address,
            "PIXELMILL_SECRET": "the-same-on-every-machine-as-the-manual-says",
            "PIXELMILL_WORKERS": "1",
            "PIXELMILL_LEASE_SECONDS": "3",
        }

    def work_on(self, machine: Machine) -> None:
        machine.run(["worker"], self.env(machine))

    def _ready(self) -> bool:
        assert self.api.processes[0].poll() is None, self.api.log()
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def send(self, photos: list[Path], **data: str) -> str:
        files = [("images", (path.name, path.read_bytes())) for path in photos]
        answer = self.client.post("/process-images", files=files, data=data)
        assert answer.status_code == 202, answer.text
        url: str = answer.json()["statusUrl"]
        return url

    def status(self, url: str) -> dict[str, Any]:
        answer = self.client.get(url)
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    def until_over(self, url: str) -> dict[str, Any]:
        over = ("completed", "completed-with-errors")
        try:
            wait_until(lambda: self.status(url)["status"] in over, "the batch", PATIENCE)
        except TimeoutError as error:
            for machine in (self.one, self.two):
                if machine.processes:
                    error.add_note(machine.log()[-3000:])
            raise
        return self.status(url)


@pytest.fixture(autouse=True, scope="module")
def _root() -> None:
    """Before any server is started."""
    need_root()


@pytest.fixture
def cluster(tmp_path: Path, valkey_url: str, database_url: str, s3: S3) -> Iterator[Cluster]:
    with machines(["api", "one", "two"], tmp_path) as (api, one, two):
        cluster = Cluster(api, one, two, {"REDIS_URL": valkey_url, "DATABASE_URL": database_url}, s3)
        yield cluster
        cluster.client.close()


def check_whole(cluster: Cluster, status: dict[str, Any]) -> None:
    """All completed, and every result can be fetched; nothing lies in a folder of any machine."""
    assert status["status"] == "completed", status
    for file in status["files"]:
        for variant in file["variants"]:
            assert variant["state"] == "completed"
            assert len(cluster.client.get(variant["url"]).content) == variant["bytes"]
    for machine in (cluster.api, cluster.one, cluster.two):
        assert not (machine.folder / "data" / "files").exists()


def test_a_batch_is_made_by_workers_on_other_machines(cluster: Cluster, photos: list[Path]) -> None:
    cluster.work_on(cluster.one)
    cluster.work_on(cluster.two)
    url = cluster.send(photos[:3] * 2, preset="instagram")
    check_whole(cluster, cluster.until_over(url))


def test_a_worker_cut_off_in_the_middle_of_an_image_only_delays_it(cluster: Cluster, photos: list[Path]) -> None:
    cluster.work_on(cluster.one)
    url = cluster.send(photos[:2], recipe=SLOW)
    wait_until(lambda: cluster.status(url)["progress"]["active"] > 0, "an image in work")
    cluster.one.pull()
    assert cluster.status(url)["progress"]["completed"] < 2
    cluster.work_on(cluster.two)
    status = cluster.until_over(url)
    check_whole(cluster, status)

    # The cable is plugged in again, the other machine dies: the first goes on as if nothing had been.
    cluster.one.plug()
    cluster.two.processes[0].kill()
    assert cluster.one.processes[0].poll() is None, cluster.one.log()
    url = cluster.send(photos[:1], preset="thumbnail")
    check_whole(cluster, cluster.until_over(url))
    assert cluster.one.processes[0].poll() is None
