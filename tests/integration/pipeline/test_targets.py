"""Results go to Cloudinary by its own SDK, over a real line to a stand-in of its API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Limits
from pixelmill.pipeline import Millhand, targets
from pixelmill.pipeline.retain import Retainer
from pixelmill.pipeline.targets import Cloudinary, Target
from pixelmill.queue import Done, Job, Later
from pixelmill.recipes import parse_recipe
from pixelmill.records import images
from pixelmill.records.keys import By
from pixelmill.records.models import State
from pixelmill.settings import Settings
from tests.cloudinary_api import SECRET, CloudinaryApi, cloudinary_api
from tests.integration.pipeline.conftest import Parts
from tests.integration.pipeline.test_accept import send
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


async def test_what_is_deleted_there_is_gone_and_may_be_gone_before(api: CloudinaryApi) -> None:
    target = Cloudinary(api.setting())
    names = [f"batch/image/v{number}" for number in range(105)]
    for name in [*names, "batch/other/v1"]:
        await target.send(name, b"bytes")
    await target.delete(names)
    await target.delete(names[:1])
    assert [*api.stored] == ["shop/batch/other/v1"]
    for failure in ((502, b"<html>the secret s3cret</html>"), (502, b'{"error": {"message": "s3cret"}}')):
        api.failures = [failure]
        with pytest.raises(PixelmillError, match="delivery-failed") as caught:
            await target.delete(["batch/other/v1"])
        assert SECRET not in caught.value.detail


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


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    pool = Decoders(1, Limits(seconds=60))
    await pool.start()
    yield pool
    await pool.close()


def hire(parts: Parts, decoders: Decoders, target: Target | None) -> Millhand:
    its = parts.database, parts.storage, parts.queue, decoders, parts.settings
    return Millhand(*its, presence=parts.presence, target=target)


async def accepted(parts: Parts, photo: Path, more: bytes = b"") -> str:
    acceptance = await parts.intake.begin()
    image_id = (await send(acceptance, "photo.jpg", photo.read_bytes() + more)).image_id
    await acceptance.commit(recipe=parse_recipe(RECIPE))
    return image_id


async def addresses(parts: Parts, image_id: str) -> list[tuple[State, str | None]]:
    found = await images.find(parts.database, image_id)
    assert found
    return [(one.state, one.facts.get(targets.FACT)) for one in found.variants]


async def test_a_slow_target_holds_up_neither_the_next_variant_nor_the_decoder(
    api: CloudinaryApi, parts: Parts, decoders: Decoders, photo: Path
) -> None:
    first, second = await accepted(parts, photo), await accepted(parts, photo)
    api.answering.clear()
    working = asyncio.create_task(hire(parts, decoders, Cloudinary(api.setting()))(Job(first, 1)))
    async with asyncio.timeout(60):
        while api.uploads < 2:
            await asyncio.sleep(0.01)
    # Neither has arrived, so neither is recorded; and the only decoder is free.
    assert await addresses(parts, first) == [(State.WAITING, None)] * 2
    assert isinstance(await hire(parts, decoders, None)(Job(second, 1)), Done)
    api.answering.set()
    assert isinstance(await working, Done)
    assert all(state is State.COMPLETED and url for state, url in await addresses(parts, first))
    assert len(api.stored) == 2


async def test_what_arrived_beside_a_failure_is_not_sent_again(
    api: CloudinaryApi, parts: Parts, decoders: Decoders, photo: Path
) -> None:
    image_id = await accepted(parts, photo)
    api.failures = [(500, b'{"error": {"message": "General Error"}}')]
    millhand = hire(parts, decoders, Cloudinary(api.setting()))
    assert await millhand(Job(image_id, 1)) == Done({"retry": 2})
    assert [bool(url) for _, url in await addresses(parts, image_id)].count(True) == 1
    async with asyncio.timeout(60):
        while isinstance(await millhand(Job(image_id, 2)), Later):
            await asyncio.sleep(0.01)
    assert all(state is State.COMPLETED and url for state, url in await addresses(parts, image_id))
    assert (api.uploads, len(api.stored)) == (3, 2)


async def test_what_is_deleted_here_is_deleted_there_and_never_only_here(
    api: CloudinaryApi, parts: Parts, decoders: Decoders, photo: Path
) -> None:
    settings = parts.settings.model_copy(update={"cloudinary_url": SecretStr(api.setting())})
    retainer = Retainer(parts.database, parts.storage, settings)
    ids = [await accepted(parts, photo, more) for more in (b"", b"other")]
    millhand = hire(parts, decoders, Cloudinary(api.setting()))
    for image_id in ids:
        await millhand(Job(image_id, 1))
    assert len(api.stored) == 4
    kept, doomed = [await images.find(parts.database, image_id) for image_id in ids]
    assert kept
    assert doomed

    api.failures = [(500, b'{"error": {"message": "General Error"}}')]
    with pytest.raises(PixelmillError, match="delivery-failed"):
        await retainer.purge(parts.queue, doomed.batch_id, by=By())
    assert any(doomed.batch_id in name for name in parts.files())
    api.failures = [(500, b'{"error": {"message": "General Error"}}')]
    await retainer.round()  # it fails once more, and nothing else does
    await retainer.round()
    assert not any(doomed.batch_id in name for name in parts.files())
    assert {name.split("/")[1] for name in api.stored} == {kept.batch_id}
    assert len(api.stored) == 2


async def test_what_another_batch_still_uses_stays_there_as_long(
    api: CloudinaryApi, parts: Parts, decoders: Decoders, photo: Path
) -> None:
    settings = parts.settings.model_copy(update={"cloudinary_url": SecretStr(api.setting())})
    retainer = Retainer(parts.database, parts.storage, settings)
    millhand = hire(parts, decoders, Cloudinary(api.setting()))
    ids = [await accepted(parts, photo) for _ in range(2)]
    for image_id in ids:
        await millhand(Job(image_id, 1))
    home, borrower = [await images.find(parts.database, image_id) for image_id in ids]
    assert home
    assert borrower
    assert await addresses(parts, borrower.id) == await addresses(parts, home.id)
    await retainer.purge(parts.queue, home.batch_id, by=By())
    assert len(api.stored) == 2
    await retainer.purge(parts.queue, borrower.batch_id, by=By())
    assert api.stored == {}


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
