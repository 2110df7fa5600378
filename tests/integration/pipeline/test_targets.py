"""Results go to Cloudinary by its own SDK, over a real line to a stand-in of its API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import targets
from pixelmill.pipeline.targets import Cloudinary
from pixelmill.settings import Settings
from tests.cloudinary_api import SECRET, CloudinaryApi, cloudinary_api
from tests.servers import Service, free_port, wait_until

RECIPE = {
    "variants": [
        {"name": "small", "steps": [{"op": "resize", "width": 64}], "output": {"format": "jpeg"}},
        {"name": "tiny", "steps": [{"op": "resize", "width": 32}], "output": {"format": "webp"}},
    ]
}


@pytest.fixture
def api() -> Iterator[CloudinaryApi]:
    with cloudinary_api() as api:
        yield api


async def test_what_is_sent_has_an_address_and_sent_again_it_is_still_one(api: CloudinaryApi) -> None:
    target = Cloudinary(api.setting())
    url = await target.send("batch/image/small", b"first")
    assert url == "https://res.cloudinary.com/demo/image/upload/v1/shop/batch/image/small"
    assert await target.send("batch/image/small", memoryview(b"second")) == url
    assert api.stored == {"shop/batch/image/small": b"second"}


@pytest.mark.parametrize(
    "failure",
    [
        (500, b'{"error": {"message": "General Error"}}'),
        (420, b'{"error": {"message": "Rate Limited"}}'),
        (400, b'{"error": {"message": "Invalid image file"}}'),
        (502, b"<html>no JSON, and the secret s3cret</html>"),
        (200, b"{}"),
    ],
)
async def test_what_goes_wrong_is_one_error_without_secrets(api: CloudinaryApi, failure: tuple[int, bytes]) -> None:
    api.failures = [failure]
    with pytest.raises(PixelmillError) as caught:
        await Cloudinary(api.setting()).send("b/i/v", b"bytes")
    assert (caught.value.code, caught.value.spec.permanent) == ("delivery-failed", False)
    assert SECRET not in caught.value.detail


async def test_a_wrong_key_or_no_answer_is_one_too(api: CloudinaryApi) -> None:
    with pytest.raises(PixelmillError, match="delivery-failed"):
        await Cloudinary(api.setting(secret="wrong")).send("b/i/v", b"bytes")
    away = f"cloudinary://1:2@demo?upload_prefix=http://127.0.0.1:{free_port()}"
    with pytest.raises(PixelmillError, match="delivery-failed"):
        await Cloudinary(away).send("b/i/v", b"bytes")
    assert api.stored == {}


@pytest.mark.parametrize("url", ["cloudinary://demo", "cloudinary://key@demo", "https://key:secret@demo", "secret"])
def test_a_setting_that_is_none_is_named_without_its_value(url: str) -> None:
    settings = Settings(_env_file=None, cloudinary_url=url)  # type: ignore[call-arg]
    with pytest.raises(PixelmillError, match="CLOUDINARY_URL") as caught:
        targets.connect(settings)
    assert "secret" not in caught.value.detail.replace("key:secret@cloud", "")


def test_without_the_setting_there_is_no_target() -> None:
    assert targets.connect(Settings(_env_file=None)) is None  # type: ignore[call-arg]


def test_a_photo_comes_back_with_its_address_there_also_after_a_failure(
    api: CloudinaryApi, start_service: Callable[..., Service], photo: Path
) -> None:
    api.failures = [(500, b'{"error": {"message": "General Error"}}')]
    settings = {"CLOUDINARY_URL": api.setting(), "PIXELMILL_WORKERS": "1", "PIXELMILL_RETRY_SECONDS": "0.1"}
    service = start_service(settings)
    with httpx.Client(base_url=service.base_url, timeout=60) as client, photo.open("rb") as file:
        form = {"recipe": json.dumps(RECIPE)}
        batch_id = (
            client.post("/process-images", files={"images": file}, data=form).raise_for_status().json()["batchId"]
        )
        wait_until(lambda: client.get(f"/batches/{batch_id}").json()["status"] == "completed", "the batch", 120)
        [image] = client.get(f"/batches/{batch_id}").json()["files"]
        for variant in image["variants"]:
            name = f"shop/{batch_id}/{image['jobId']}/{variant['name']}"
            assert variant["deliveredUrl"] == api.address(name)
            assert api.stored[name] == client.get(variant["url"]).content
        tries = client.get(f"/jobs/{image['jobId']}").json()["attempts"]
    assert len(api.stored) == 2
    assert [one["errorCode"] for one in tries] == ["delivery-failed", None]
    assert SECRET not in service.log.read_text()
