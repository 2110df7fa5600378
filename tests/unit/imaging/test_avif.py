"""Pillow reads what libvips reads, to the same picture; what it would read otherwise is left to libvips. What libavif
writes is what libheif writes, in about as many bytes."""

from __future__ import annotations

import io
from typing import Any

import pytest
import pyvips
from PIL import ExifTags, Image

from pixelmill.imaging.encode import Encoding
from pixelmill.imaging.encode import avif as writer
from pixelmill.imaging.encode._format import KEEP_ICC, STRIP
from pixelmill.imaging.header import inspect, known_brand
from pixelmill.imaging.quality.metric import score
from pixelmill.imaging.read import avif
from pixelmill.imaging.results import Limits
from pixelmill.recipes.models import Output
from tests import hostile, pictures

BLACK = pyvips.Image.black(4_000, 4_000, bands=3).copy(interpretation="srgb")


def save(image: pyvips.Image, **options: Any) -> bytes:
    data: bytes = image.heifsave_buffer(compression="av1", effort=0, **options)
    return data


def by_libvips(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "")


def load(data: bytes) -> pyvips.Image | None:
    data = known_brand(data)
    header = inspect(data, Limits()).image
    assert header is not None
    return avif.load(data, header)


def difference(one: pyvips.Image, other: pyvips.Image) -> tuple[float, float]:
    """The mean and the largest."""
    assert (one.width, one.height, one.bands) == (other.width, other.height, other.bands)
    apart = (one.cast("short") - other.cast("short")).abs()
    return apart.avg(), apart.max()


def eight(image: pyvips.Image) -> pyvips.Image:
    """In 8 bits."""
    return image if image.format == "uchar" else (image / 257).rint().cast("uchar").copy(interpretation="srgb")


def translucent(image: pyvips.Image) -> pyvips.Image:
    return image.bandjoin(image.extract_band(1)).copy(interpretation="srgb")


def test_the_picture_is_the_same() -> None:
    photo = pictures.photo(321, 187)
    for image in (photo, translucent(photo)):
        whole = save(image, Q=80, subsample_mode="off")
        found = load(whole)
        assert found is not None
        assert found.interpretation == "srgb"
        assert difference(found, by_libvips(whole))[1] <= 2
        fewer = save(image, Q=80)  # colour at half the size: what lies between is smoother than libheif makes it
        found = load(fewer)
        assert found is not None
        assert difference(found, by_libvips(fewer))[0] < 1


def test_of_moving_pictures_it_is_the_still_one_too() -> None:
    data = known_brand(hostile.avif(frames=3))
    found = load(data)
    assert found is not None
    assert difference(found, by_libvips(data))[0] < 2


def test_what_lies_beside_the_pixels_is_kept() -> None:
    photo = pictures.photo(64, 48).copy()
    photo.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Copyright", "somebody")
    photo.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    data = save(photo.icc_transform("p3", input_profile="srgb"), Q=80, keep="all")
    found, same = load(data), by_libvips(data)
    assert found is not None
    for field in ("icc-profile-data", "xmp-data", "exif-data", "exif-ifd0-Copyright"):
        assert found.get(field) == same.get(field), field


def turned() -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(pictures.photo(64, 48).numpy()).save(buffer, "AVIF", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(turned(), id="turned by its container"),
        pytest.param(save(pictures.photo(64, 48), bitdepth=10), id="deep"),
        pytest.param(save(BLACK), id="of a doubtful size"),
    ],
)
def test_the_rest_is_left_to_libvips(data: bytes) -> None:
    assert load(data) is None


def test_so_is_what_is_damaged() -> None:
    data = save(pictures.photo(64, 48))
    assert avif.load(data, by_libvips(data)) is not None
    assert avif.load(data[:-40], by_libvips(data)) is None


@pytest.mark.parametrize("squeeze", [False, True], ids=["8 bits", "10 bits"])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_it_is_written_alike_by_either_library(subsampling: str, squeeze: bool) -> None:
    photo = pictures.photo(321, 187)
    output = Output.model_validate({"format": "avif", "subsampling": subsampling})
    plain, other = (writer.encode(photo, Encoding(70, output, keep, squeeze)) for keep in (STRIP, KEEP_ICC))
    assert plain != other
    assert len(plain) == pytest.approx(len(other), rel=0.03)
    found, same = by_libvips(plain), by_libvips(other)
    assert found.get("heif-bitdepth") == same.get("heif-bitdepth") == (10 if squeeze else 8)
    assert score(photo, eight(found)) == pytest.approx(score(photo, eight(same)), abs=2)


def test_it_says_that_its_colours_are_srgb() -> None:
    data = writer.encode(pictures.photo(64, 48), Encoding(70, Output(format="avif")))
    assert b"colrnclx" + bytes([0, 1, 0, 13, 0, 6, 0x80]) in data


def av1c(data: bytes) -> bytes:
    """Profile, level and kind of colours, as the container tells them."""
    return data[data.index(b"av1C") + 4 :][:4]


def test_the_best_quality_is_no_other_kind_of_file() -> None:
    photo = pictures.photo(64, 48)
    good, best = (writer.encode(photo, Encoding(quality, Output(format="avif"))) for quality in (99, 100))
    assert av1c(good) == av1c(best)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)], ids=str)
def test_sizes_that_do_not_halve(size: tuple[int, int]) -> None:
    image = pyvips.Image.black(*size, bands=3).linear([1] * 3, [200, 100, 50]).cast("uchar").copy(interpretation="srgb")
    data = writer.encode(image, Encoding(90, Output(format="avif")))
    assert difference(by_libvips(data), image)[1] <= 6


def test_what_is_not_plain_keeps_what_it_has() -> None:
    photo = pictures.photo(64, 48)
    output = Output(format="avif")
    clear = by_libvips(writer.encode(translucent(photo), Encoding(70, output)))
    assert clear.bands == 4
    exact = by_libvips(writer.encode(photo, Encoding(None, output)))
    assert difference(exact, photo)[1] <= 3
