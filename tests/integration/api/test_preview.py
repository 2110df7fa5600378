"""A recipe tried on one image: the answer is what a worker made."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.sites import JPEG, Site

ONE = {"variants": [{"name": "s", "steps": [{"op": "resize", "width": 64}], "output": {"format": "webp"}}]}
TWO = {"variants": [{**ONE["variants"][0], "name": name} for name in ("a", "b")]}


async def test_one_variant_is_the_answer(working: Site, photo: Path) -> None:
    answer = await working.client.post(
        "/recipes/preview", files={"image": ("a.jpg", photo.read_bytes())}, data={"recipe": json.dumps(ONE)}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["x-image-width"] == "64"
    assert (answer.content[:4], answer.content[8:12]) == (b"RIFF", b"WEBP")


async def test_several_are_json(working: Site, photo: Path) -> None:
    answer = await working.client.post(
        "/recipes/preview", files={"image": ("a.jpg", photo.read_bytes())}, data={"recipe": json.dumps(TWO)}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()["variants"]
    assert [one["name"] for one in told] == ["a", "b"]
    kind, _, data = told[0]["dataUrl"].partition(",")
    assert kind == "data:image/webp;base64"
    assert len(base64.b64decode(data)) == told[0]["bytes"]


async def test_what_is_wrong_with_the_image_is_told(working: Site) -> None:
    answer = await working.client.post("/recipes/preview", files={"image": ("a.jpg", JPEG)})
    assert (answer.status_code, answer.json()["code"]) == (422, "corrupt-image")


async def test_a_preview_is_small(site: Site) -> None:
    many = {"variants": [{**ONE["variants"][0], "name": f"v{number}"} for number in range(5)]}
    answer = await site.client.post(
        "/recipes/preview", files={"image": ("a.jpg", JPEG)}, data={"recipe": json.dumps(many)}
    )
    assert answer.json()["code"] == "too-many-variants"
    two = await site.client.post("/recipes/preview", files=[("image", ("a.jpg", JPEG)), ("image", ("b.jpg", JPEG))])
    assert two.json()["code"] == "too-many-files"
    assert (await site.client.post("/recipes/preview", data={"recipe": "{}"}, files={})).status_code in (400, 415)
    assert site.stored() == []
