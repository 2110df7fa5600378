"""Metadata goes unless asked for, places never stay, and what is shown is safe."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips

from pixelmill.imaging import metadata
from pixelmill.imaging.make import make
from pixelmill.imaging.results import Inspected, Limits, Made
from pixelmill.recipes import parse_recipe
from tests import pictures

FILE = (pictures.PHOTOS / "turned-with-gps.jpg").read_bytes()


def fields(**output: Any) -> dict[str, str]:
    variant = {"name": "a", "steps": [{"op": "resize", "width": 64}], "output": output}
    recipe = parse_recipe({"facts": False, "variants": [variant]})
    result = list(make(FILE, recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made)
    assert b"GPS" not in bytes(result.data)
    image = pyvips.Image.new_from_buffer(bytes(result.data), "")
    kept = [field for field in image.get_fields() if field.startswith("exif-ifd")]
    assert not [field for field in kept if "GPS" in field or field.startswith("exif-ifd3")]
    assert "orientation" not in image.get_fields() or image.get("orientation") == 1
    return {field: str(image.get(field)) for field in kept}


def test_the_sample_has_something_to_hide() -> None:
    names = pyvips.Image.new_from_buffer(FILE, "").get_fields()
    assert any("GPSLatitude" in name for name in names) and "exif-ifd0-Copyright" in names


@pytest.mark.parametrize("format", ["jpeg", "webp", "png", "avif", "tiff"])
def test_nothing_stays_by_default(format: str) -> None:
    kept = fields(format=format)
    assert not [field for field in kept if "Copyright" in field or "Make" in field or "Model" in field]


@pytest.mark.parametrize("output", [{"format": "jpeg"}, {"format": "webp"}, {"format": "jpeg", "quality": "auto"}])
def test_copyright_alone(output: dict[str, Any]) -> None:
    kept = fields(**output, metadata="copyright")
    assert "exif-ifd0-Copyright" in kept
    assert not [field for field in kept if "Make" in field or "Model" in field or "DateTimeOriginal" in field]


def test_all_but_places() -> None:
    kept = fields(format="jpeg", metadata="keep")
    assert "exif-ifd0-Copyright" in kept and [field for field in kept if "Model" in field or "Make" in field]


def test_what_is_shown() -> None:
    recipe = parse_recipe({"variants": [{"name": "a"}]})
    first = next(make(FILE, recipe, ["a"], Limits()))
    assert isinstance(first, Inspected)
    exif = first.facts["exif"]
    assert exif["copyright"] and set(exif) <= set(metadata.SHOWN.values())
    assert "GPS" not in str(first.facts)


TORN = [b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0" * 50, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]


@pytest.mark.parametrize("block", [None, b"", b"Exif\0\0", *TORN])
def test_a_broken_block_shows_nothing(block: bytes | None) -> None:
    assert metadata.shown(block) == {}


@pytest.mark.parametrize(
    "name", ["GPSLatitude", "exif-ifd3-GPSDateStamp", "exif-ifd2-MakerNote", "exif-ifd2-BodySerialNumber"]
)
def test_private_fields(name: str) -> None:
    assert metadata.PRIVATE.search(name)


def test_xmp_with_a_place_goes_whole() -> None:
    assert metadata._names_a_place(b'<x exif:GPSLatitude="1"/>')
    assert metadata._names_a_place(b"<photoshop:City>Bonn</photoshop:City>")
    assert not metadata._names_a_place(b"<dc:creator>Somebody</dc:creator>")
