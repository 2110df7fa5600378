from __future__ import annotations

import base64
import json

import blurhash
import pytest
import pyvips

from pixelmill.imaging import profile
from pixelmill.imaging.facts import facts
from tests import pictures


def test_facts_of_a_photograph() -> None:
    found = facts(pictures.photo(640, 360))
    json.dumps(found)
    assert len(found["palette"]) > 2 and found["colour"] == found["palette"][0]
    assert all(len(colour) == 7 and colour[0] == "#" for colour in found["palette"])
    assert len(blurhash.decode(found["blurhash"], 8, 8)) == 8
    assert 12 <= len(base64.b64decode(found["thumbhash"])) <= 28
    head, _, body = found["preview"].partition(",")
    assert head == "data:image/webp;base64"
    assert pyvips.Image.new_from_buffer(base64.b64decode(body), "").width == 16
    assert len(found["preview"]) < 400


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_facts_of_grey_and_transparent(bands: int) -> None:
    image = pictures.photo()
    image = {1: image[0], 2: image[0].bandjoin(100), 4: image.bandjoin(0)}[bands]
    found = facts(image.copy(interpretation="srgb" if bands > 2 else "b-w"))
    assert found["colour"] == "#ffffff" if bands == 4 else found["colour"]


def test_one_pixel_has_facts() -> None:
    red = pyvips.Image.black(1, 1, bands=3).linear([1, 1, 1], [255, 0, 0]).cast("uchar").copy(interpretation="srgb")
    assert facts(red)["colour"] == "#ff0000"


@pytest.mark.parametrize("cell", [1, 2, 3, 4, 8])
def test_a_pattern_that_repeats_is_seen_as_from_afar(cell: int) -> None:
    """Not all pixels of a large picture are looked at: of these no more black ones than white ones."""
    tile = pyvips.Image.new_from_array([[0, 255], [255, 0]]).cast("uchar").zoom(cell, cell)
    chequers = tile.replicate(2000 // cell, 1500 // cell).bandjoin([tile.replicate(2000 // cell, 1500 // cell)] * 2)
    found = facts(chequers.copy(interpretation="srgb"))
    assert all(0x58 < int(found["colour"][at : at + 2], 16) < 0xA8 for at in (1, 3, 5))


@pytest.mark.parametrize(("width", "height"), [(32_000, 50), (50, 32_000), (700, 3)])
def test_a_picture_that_is_hardly_there(width: int, height: int) -> None:
    red = pyvips.Image.black(width, height, bands=3).linear([1, 1, 1], [255, 0, 0]).cast("uchar")
    assert facts(red.copy(interpretation="srgb"))["palette"][0] == "#ff0000"


def test_the_fingerprint_tells_alike_from_different() -> None:
    def distance(one: pyvips.Image, two: pyvips.Image) -> int:
        return (int(facts(one)["hash"], 16) ^ int(facts(two)["hash"], 16)).bit_count()

    photo = pictures.photo(640, 360)
    again = pyvips.Image.new_from_buffer(photo.resize(0.3).jpegsave_buffer(Q=30), "")
    assert distance(photo, again) <= 4
    assert distance(photo, photo.fliphor()) > 16


def test_srgb_knows_itself() -> None:
    srgb = pictures.photo().jpegsave_buffer(profile="srgb")
    wide = pictures.photo().jpegsave_buffer(profile="p3")
    assert profile.is_srgb(bytes(pyvips.Image.new_from_buffer(srgb, "").get("icc-profile-data")))
    assert not profile.is_srgb(bytes(pyvips.Image.new_from_buffer(wide, "").get("icc-profile-data")))
    assert not profile.is_srgb(b"") and profile.description(b"\xff" * 500) == ""
