"""libjpeg-turbo reads what libvips reads, to the same pixels; what it has a warning for is left to libvips."""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import ExifTags, Image

from pixelmill.imaging import decode
from pixelmill.imaging.header import inspect
from pixelmill.imaging.read import jpeg
from pixelmill.imaging.results import Limits
from pixelmill.recipes.step import Size
from tests import pictures
from tests.unit.imaging.test_luma import lossless


def save(image: pyvips.Image, **options: Any) -> bytes:
    data: bytes = image.jpegsave_buffer(**{"Q": 85, **options})
    return data


def by_pillow(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pictures.photo(321, 187).numpy()).save(file, "JPEG", quality=85, **options)
    return file.getvalue()


def load(data: Any, reduction: int = 1) -> pyvips.Image | None:
    header = inspect(data, Limits()).image
    assert header is not None
    return jpeg.load(data, header, reduction)


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(save(pictures.photo(321, 187)), id="odd"),
        pytest.param(save(pictures.photo(320, 192), subsample_mode="off"), id="444"),
        pytest.param(save(pictures.photo(321, 187), interlace=True), id="progressive"),
        pytest.param(save(pictures.photo(321, 187).colourspace("b-w")), id="grey"),
        pytest.param(save(pictures.photo(9, 17)), id="small"),
        pytest.param(by_pillow(subsampling="4:2:2"), id="4:2:2"),
        pytest.param(by_pillow(keep_rgb=True), id="RGB"),
    ],
)
def test_the_pixels_are_the_same(data: bytes, reduction: int) -> None:
    found, same = load(data, reduction), pyvips.Image.new_from_buffer(data, "", shrink=reduction)
    assert found is not None
    assert (found.width, found.height, found.bands) == (same.width, same.height, same.bands)
    assert (found.interpretation, found.format) == (same.interpretation, same.format)
    assert (found - same).abs().max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_as_by_libvips(orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = by_pillow(exif=exif)
    header = inspect(data, Limits())
    found = decode.decode(data, header, Size(*(side // 3 for side in header.size))).image
    monkeypatch.setattr(jpeg, "load", lambda *_: None)
    same = decode.decode(data, header, Size(*(side // 3 for side in header.size))).image
    assert (found.width, found.height) == (same.width, same.height)
    assert (found - same).abs().max() == 0


@pytest.mark.parametrize(("side", "reduction"), [(3, 2), (5, 4)])
def test_what_libjpeg_turbo_would_reduce_less_is_left_to_libvips(side: int, reduction: int) -> None:
    data = save(pictures.photo(side, side))
    assert load(data) is not None
    assert load(data, reduction) is None


def test_a_mapped_file_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(save(pictures.photo(64, 48)))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert load(mapped) is not None


def test_what_lies_beside_the_pixels_is_kept() -> None:
    photo = pictures.photo(64, 48).copy(xres=11.81, yres=11.81)
    photo.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Copyright", "somebody")
    photo.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    data = save(photo.icc_transform("p3", input_profile="srgb"), keep="all")
    found, same = load(data), pyvips.Image.new_from_buffer(data, "")
    assert found is not None
    for field in ("icc-profile-data", "xmp-data", "exif-data", "exif-ifd0-Copyright", "resolution-unit", "xres"):
        assert found.get(field) == same.get(field), field


def test_a_density_that_nothing_has_is_no_news_for_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    data = save(pictures.photo(64, 48).copy(xres=11.81, yres=11.81), keep="all")
    unit = data.index(b"\x28\x01\x03\0\x01\0\0\0\x02")  # EXIF's ResolutionUnit, behind the two densities
    rational = data.index(b"\x1a\x01\x05\0\x01\0\0\0", 0, unit)
    start = data.index(b"II*\0") + int.from_bytes(data[rational + 8 : rational + 12], "little")
    found = load(data[:start] + b"\xff\xff\xff\xff\x01\0\0\0" + data[start + 8 :])
    assert found is not None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(save(pictures.photo(64, 48).colourspace("cmyk")), id="four colours"),
        pytest.param(lossless(48), id="lossless"),
    ],
)
def test_the_rest_is_left_to_libvips(data: bytes) -> None:
    assert load(data) is None


def test_so_is_what_is_damaged() -> None:
    data = save(pictures.photo(64, 48))
    header = inspect(data, Limits()).image
    assert header is not None
    assert jpeg.load(data, header, 1) is not None
    assert jpeg.load(data[:-40], header, 1) is None
    assert jpeg.load(data[:-40] + b"\xff\xd9" + data[-40:], header, 1) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:2] + b"\0" + data[2:], id="a byte between the segments"),
        pytest.param(lambda data: data[:2] + b"\xff" + data[2:], id="a byte that fills"),
        pytest.param(lambda data: data[:2] + b"\xff\xd0" + data[2:], id="a marker that stands alone"),
        pytest.param(lambda data: data[:4] + b"\0\1" + data[6:], id="a length that is none"),
        pytest.param(lambda data: data[:4] + b"\xff\xff" + data[6:], id="a length beyond the end"),
        pytest.param(lambda data: data.replace(b"\xff\xc0", b"\xff\xc3"), id="another kind"),
        pytest.param(lambda data: data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), id="12 bits"),
        pytest.param(lambda data: data[:2] + b"\xff\xfe\0\2" * 1_000 + data[2:], id="more segments than anybody has"),
        pytest.param(lambda data: data[:9], id="cut"),
    ],
)
def test_and_what_leaves_a_doubt(change: Callable[[bytes], bytes]) -> None:
    """libjpeg looks for the next marker where one is missing: what it finds is not to be another frame than ours."""
    data = save(pictures.photo(64, 48))
    assert jpeg.is_plain(data)
    assert not jpeg.is_plain(change(data))


def test_so_is_what_is_too_large_to_lie_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "_MOST", 64 * 48)
    assert load(save(pictures.photo(64, 48))) is not None
    assert load(save(pictures.photo(64, 49))) is None
    assert load(save(pictures.photo(128, 96)), 2) is not None
