"""Metadata goes unless asked for, places never stay, and what is shown is safe."""

from __future__ import annotations

import io
from typing import Any

import pytest
import pyvips
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from pixelmill.imaging import metadata
from pixelmill.imaging.make import make
from pixelmill.imaging.results import Inspected, Limits, Made
from pixelmill.recipes import FORMATS, parse_recipe
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


def test_xmp_with_a_place_or_a_number_goes_whole() -> None:
    for text in (
        '<x exif:GPSLatitude="1"/>',
        "<photoshop:City>Bonn</photoshop:City>",
        '<x aux:SerialNumber="1234"/>',
        '<x exifEX:CameraOwnerName="Ada"/>',
    ):
        assert metadata._private(text.encode())
        assert metadata._private(text.encode("utf-16"))
    assert not metadata._private(b"<dc:creator>Somebody</dc:creator>")


def revealing() -> bytes:
    """The EXIF of a real photograph, with its place, and all else that tells who took it with what."""
    with Image.open(io.BytesIO(FILE)) as photo:
        block = photo.getexif()
    block.pop(Base.Orientation, None)
    detail, place = block.get_ifd(IFD.Exif), block.get_ifd(IFD.GPSInfo)
    assert place[GPS.GPSLatitude] and place[GPS.GPSLongitude]
    place[GPS.GPSMapDatum] = "SECRET-datum"
    for tag in (Base.BodySerialNumber, Base.LensSerialNumber, Base.CameraOwnerName, Base.ImageUniqueID):
        detail[tag] = f"SECRET-{tag.name}"
    detail[Base.UserComment] = detail[Base.MakerNote] = b"ASCII\0\0\0SECRET-comment"
    block[Base.XPComment] = "SECRET-windows".encode("utf-16le")
    return block.tobytes()


@pytest.mark.parametrize("before", ["jpeg", "webp", "png", "avif", "tiff"])
def test_no_place_and_no_number_leaves_with_a_picture(before: str) -> None:
    """By Pillow's reader and in the bytes, though all else is kept. JPEG XL is written without any metadata, GIF and
    TIFF without EXIF."""
    buffer = io.BytesIO()
    picture = Image.frombytes("RGB", (64, 36), pictures.photo(64, 36).write_to_memory())
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" aux:SerialNumber="SECRET-xmp"/>'
    picture.save(buffer, before, exif=revealing(), xmp=xmp)
    data = buffer.getvalue()
    with Image.open(buffer) as opened:
        assert opened.getexif().get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] and data.count(b"SECRET") >= 6
    outputs = [{"name": name, "output": {"format": name, "metadata": "keep"}} for name in FORMATS]
    _, *results = make(data, parse_recipe({"variants": outputs}), FORMATS, Limits())
    for result in results:
        assert isinstance(result, Made)
        made = bytes(result.data)
        assert b"SECRET" not in made and "SECRET".encode("utf-16le") not in made, result.format
        if result.format == "jxl":
            assert made.startswith(b"\xff\x0a")  # the bare pixels: metadata has boxes of its own around them
            continue
        with Image.open(io.BytesIO(made)) as opened:
            assert not opened.getexif().get_ifd(IFD.GPSInfo), result.format
            assert "SECRET" not in repr(opened.info)
            kept = opened.getexif().get(Base.Copyright)
        assert bool(kept) == (before != "tiff" and result.format not in ("tiff", "gif")), result.format
