"""The whole service with its bytes on a real S3 server."""

from __future__ import annotations

import hashlib
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.servers import S3, SCRIPTS, Service, free_port, wait_until

RECIPE = '{"variants": [{"name": "small", "steps": [{"op": "resize", "width": 300}], "output": {"format": "webp"}}]}'


@pytest.fixture
def s3_env(s3: S3) -> dict[str, str]:
    return {**s3.env(), "PIXELMILL_STORAGE_URL": f"s3://{s3.bucket}/{uuid.uuid4().hex}"}


def test_a_photo_goes_through_s3_and_comes_back(
    start_service: Callable[..., Service], s3_env: dict[str, str], photo: Path
) -> None:
    service = start_service(s3_env)
    with httpx.Client(base_url=service.base_url, timeout=30, follow_redirects=True) as client:
        ready = client.get("/readyz").json()
        assert ready["checks"]["storage"] == "ok"
        sent = client.post(
            "/process-images", files={"images": (photo.name, photo.read_bytes())}, data={"recipe": RECIPE}
        )
        assert sent.status_code == 202, sent.text
        url = sent.json()["statusUrl"]
        wait_until(lambda: client.get(url).json()["status"] == "completed", "the batch")
        variant = client.get(url).json()["files"][0]["variants"][0]
        got = client.get(variant["url"])
        assert got.status_code == 200
        assert got.headers["content-type"] == "image/webp"
        assert len(got.content) == variant["bytes"]
        assert got.content[:4] == b"RIFF"
        assert [answer.status_code for answer in got.history] == [307]  # straight from S3
        assert got.headers["content-disposition"] == 'inline; filename="field-small.webp"'
        assert "attachment" in client.get(variant["url"], params={"download": "true"}).headers["content-disposition"]
        ours = client.get(variant["url"], headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"})
        assert ours.history == []  # our own page may load from us alone
        assert ours.content == got.content
        part = client.get(variant["url"], headers={"Range": "bytes=0-99"})
        assert part.status_code == 206
        assert hashlib.sha256(part.content).digest() == hashlib.sha256(got.content[:100]).digest()
    assert not [path for path in (service.data_dir / "files").rglob("*") if path.is_file()]
    service.stop()


@pytest.mark.parametrize("command", ["api", "worker"])
def test_wrong_keys_are_named_at_start_up(tmp_path: Path, s3_env: dict[str, str], command: str) -> None:
    env = {
        **s3_env,
        "PATH": "/usr/bin:/bin",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "PIXELMILL_DATA_DIR": str(tmp_path),
        "PIXELMILL_PORT": str(free_port()),
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    migrated = subprocess.run(
        [SCRIPTS / "pixelmill", "migrate"], env=env, capture_output=True, cwd=tmp_path, check=False
    )
    assert migrated.returncode == 0, migrated.stderr
    done = subprocess.run(
        [SCRIPTS / "pixelmill", command], env=env, capture_output=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"Storage refuses the secret key: mend AWS_SECRET_ACCESS_KEY." in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"very-secret" not in done.stdout + done.stderr
