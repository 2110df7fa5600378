"""The header is judged before a pixel is decoded: each limit has its code, a sentence, and a real bomb."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.errors import PixelmillError
from pixelmill.imaging import unfold
from pixelmill.imaging.header import count_scans, inspect
from pixelmill.imaging.results import Limits
from tests import boxes, hostile, pictures

LIMITS = Limits()


def code(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(PixelmillError) as error:
        inspect(data, limits)
    assert error.value.detail.endswith(".")
    assert error.value.spec.permanent
    return error.value.code


@pytest.mark.parametrize("name", pictures.FORMATS_IN)
def test_every_format_has_a_header(name: str) -> None:
    header = inspect(pictures.sample(name), LIMITS)
    assert header.format == name.removesuffix("-animated")
    assert header.size == ((128, 128) if name == "heic" else (160, 90))
    assert header.frames == (3 if name.endswith("animated") else 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_upright(orientation: int) -> None:
    image = pictures.photo().copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    header = inspect(image.jpegsave_buffer(), LIMITS)
    assert header.stored == (160, 90)
    assert header.size == ((90, 160) if orientation >= 5 else (160, 90))


def test_no_bytes() -> None:
    assert code(b"") == "empty-file"


def test_no_image() -> None:
    assert code(b"hello") == "unsupported-format"
    assert code(b"%PDF-1.7\n1 0 obj") == "unsupported-format"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0 not a jpeg",
        b"\x89PNG\r\n\x1a\n nothing",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\xff\x0a",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"II*\0\x08\0\0\0",
        b"<svg ",
    ],
)
def test_only_the_first_bytes_are_right(data: bytes) -> None:
    assert code(data) == "corrupt-image"


def test_too_many_bytes() -> None:
    assert code(pictures.sample("jpeg"), replace(LIMITS, max_bytes=100)) == "too-large"


def test_pixels_of_a_bomb() -> None:
    assert code(pictures.png_header(60_000, 60_000)) == "too-many-pixels"
    assert code(pictures.png_header(20_000, 20_000)) == "too-many-pixels"
    assert code(pictures.png_header(10_001, 10_000)) == "too-many-pixels"


def test_a_side_that_is_too_long() -> None:
    assert code(pictures.png_header(40_000, 1)) == "too-many-pixels"


def test_pixels_of_a_vector_bomb() -> None:
    assert code(b'<svg xmlns="http://www.w3.org/2000/svg" width="900000" height="900000"/>') in (
        "too-many-pixels",
        "corrupt-image",
    )


def test_pixels_of_a_jpeg_xl_bomb() -> None:
    # small = 0; height of 30 bits, all set; no ratio; width likewise: 2^30 by 2^30, in ten bytes
    bits = "0" + "11" + "1" * 30 + "000" + "11" + "1" * 30 + "1" * 12
    data = int(bits[::-1], 2).to_bytes(len(bits) // 8 + 1, "little")
    assert code(b"\xff\x0a" + data) == "too-many-pixels"


def test_frames() -> None:
    assert code(pictures.gif_bomb(20_000)) == "animation-too-long"
    assert inspect(pictures.gif_bomb(300), LIMITS).frames == 300


def test_frames_times_pixels() -> None:
    assert code(pictures.sample("webp-animated"), replace(LIMITS, max_pixels=160 * 90 * 2)) == "too-many-pixels"


def test_pixels_of_pictures_in_an_svg() -> None:
    small, large = pictures.sample("png"), pictures.png_header(8000, 8000)
    assert inspect(hostile.svg_image(small), LIMITS).format == "svg"
    assert inspect(hostile.svg_image(large), LIMITS).format == "svg"
    two = hostile.svg_image(large).replace(b"</svg>", b"") + hostile.svg_image(large).partition(b">")[2]
    assert code(two) == "too-many-pixels"
    assert (
        code(hostile.svg_image(hostile.svg_image(pictures.png_header(20_000, 20_000)), "svg+xml")) == "too-many-pixels"
    )
    hidden = hostile.svg_image(pictures.png_header(20_000, 20_000)).replace(b"data:", b"&#100;ata:")
    assert code(hidden) == "too-many-pixels"
    assert inspect(hostile.svg('<image href="data:image/png;base64,AAAAA"/><a href="data:,a%20b"/>'), LIMITS)


@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-8", "utf-16", "utf-16-le", "utf-32", "iso-8859-1", "windows-1252", "koi8-r", "cp037", "cp1026", "utf-7"),
        *("shift_jis", "gb18030", "big5", "iso-2022-jp", "hz", "unicode_escape", "rot13", "zlib", "x-none", "UTF8\0"),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_no_encoding_hides_what_an_svg_holds(encoding: str, told: bool) -> None:
    """What is counted and what is drawn are read by two XML readers, which must not see two different pictures."""
    text = hostile.svg_image(pictures.png_header(20_000, 20_000)).decode()
    text = (f'<?xml version="1.0" encoding="{encoding}"?>' if told else "") + text
    try:
        written = text.encode(encoding)
    except (LookupError, UnicodeError, ValueError):
        written = text.encode()
    for data in {written, text.encode(), text.encode("utf-16"), text.encode("utf-16-be")}:
        assert code(data) in ("too-many-pixels", "corrupt-image", "unsupported-format")


def test_texts_of_a_png_that_unfold() -> None:
    for name in ("png, a text of 2 GB", "png, XMP of 2 GB", "png, 20 texts of 1 MB"):
        (attack,) = (one for one in hostile.METADATA if one.name == name)
        assert code(attack.make()) == "too-much-metadata"
    damaged = hostile.png_with(hostile.chunk(b"zTXt", b"a\0\0nothing"), hostile.chunk(b"iTXt", b"a\0\0\0\0\0plain"))
    assert inspect(damaged, LIMITS).format == "png"


@pytest.mark.parametrize("name", ["avif", "heic"])
def test_items_that_are_longer_than_their_file(name: str) -> None:
    """All the same bytes, again and again: 30 MB of 1 MB."""
    item = (b"Exif", b"", b"II*\0" + b"e" * 1024**2)
    assert code(boxes.heif_with(name, item, times=30)) == "too-much-metadata"
    assert code(boxes.heif_with(name, item, count=30)) == "too-much-metadata"
    assert inspect(boxes.heif_with(name, item, times=2), LIMITS).format == name


@given(st.binary(max_size=200), st.sampled_from([b"iloc", b"meta", b"free"]), st.integers(0, 3))
def test_items_that_make_no_sense_are_left_to_the_decoder(noise: bytes, kind: bytes, version: int) -> None:
    inner = boxes.full(kind, version, 0, noise)
    for data in (boxes.box(b"ftyp", b"avif") + boxes.full(b"meta", 0, 0, inner, noise), inner + noise):
        with suppress(PixelmillError):
            unfold.check(data, "avif")


def test_lengths_of_items_in_every_version_of_their_table() -> None:
    """ISO/IEC 14496-12, 8.11.3: wider numbers of items, 64-bit lengths, none at all (then it is the whole file)."""
    extents = struct.pack(">HIQIQ", 2, 0, 10, 0, 20)
    tables = [
        (0, b"\x48\0" + struct.pack(">HHH", 1, 1, 0) + extents),
        (1, b"\x48\0" + struct.pack(">HHHH", 1, 1, 0, 0) + extents),
        (2, b"\x48\0" + struct.pack(">IIHH", 1, 1, 0, 0) + extents),
    ]
    for version, table in tables:
        data = boxes.full(b"meta", 0, 0, boxes.full(b"iloc", version, 0, table))
        assert list(unfold._item_lengths(data)) == [10, 20]
    whole = boxes.full(b"meta", 0, 0, boxes.full(b"iloc", 0, 0, b"\x40\0" + struct.pack(">HHHHII", 1, 1, 0, 2, 0, 0)))
    assert list(unfold._item_lengths(whole)) == [2 * len(whole)]


def test_what_is_in_an_svg_unfolds_no_more() -> None:
    text = hostile.chunk(b"zTXt", b"a\0\0" + hostile.zeros(17 * hostile.MEGABYTE))
    assert code(hostile.svg_image(hostile.png_with(text))) == "too-much-metadata"
    item = (b"Exif", b"", b"II*\0" + b"e" * 1024**2)
    assert code(hostile.svg_image(boxes.heif_with("avif", item, times=30), "avif")) == "too-much-metadata"


def test_scans_of_a_progressive_jpeg() -> None:
    assert code(pictures.scans_bomb(2000)) == "too-many-scans"
    assert inspect(pictures.scans_bomb(20), LIMITS).progressive
    assert count_scans(pictures.jpeg(interlace=True), 100) < 15


def test_baseline_is_not_counted() -> None:
    assert not inspect(pictures.sample("jpeg"), LIMITS).progressive


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (9, 7), (256, 256), (160, 90), (257, 1), (1, 400), (3000, 2), (1200, 1000)]
)
def test_size_in_a_jpeg_xl(size: tuple[int, int]) -> None:
    """Our reading of its bits against libjxl's own writing."""
    import imagecodecs
    import numpy

    pixels = numpy.zeros((size[1], size[0], 3), numpy.uint8)
    for container in (False, True):
        data = imagecodecs.jpegxl_encode(pixels, lossless=True, effort=1, usecontainer=container)
        assert inspect(data, LIMITS).size == size
