from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from pixelmill.imaging.decode import can_luma
from pixelmill.imaging.header import inspect
from pixelmill.imaging.make import make
from pixelmill.imaging.read import luma
from pixelmill.imaging.results import Limits, Made
from pixelmill.imaging.steps._pixels import scale_to
from pixelmill.recipes.step import Size
from tests import pictures
from tests.fuzz.run import GREY


@pytest.mark.parametrize(
    "size", [Size(512, 288), Size(100, 300), Size(639, 359), Size(1, 1), Size(640, 360), Size(7, 359)]
)
def test_it_is_shrunk_to_the_same_pixels_as_any_other(size: Size) -> None:
    grey = pictures.photo(640, 360).colourspace("b-w")
    ours, usual = luma._scaled(Image.fromarray(grey.numpy()), size), scale_to(grey, size)
    assert (ours.width, ours.height) == size
    assert (ours - usual).abs().max() == 0


def lossless(side: int) -> bytes:
    """A JPEG of the lossless process (ITU-T T.81, Annex H), three bands of one grey: each difference is one bit, 0."""

    def segment(marker: int, data: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    bands = (1, 2, 3)
    frame = struct.pack(">BHHB", 8, side, side, len(bands)) + b"".join(bytes([band, 0x11, 0]) for band in bands)
    table = bytes([0, 1, *[0] * 15, 0])
    scan = bytes([len(bands)]) + b"".join(bytes([band, 0]) for band in bands) + bytes([1, 0, 0])
    bits = bytes(side * side * len(bands) // 8)
    head = segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, scan)
    return b"\xff\xd8" + head + bits + b"\xff\xd9"


def test_what_pillow_cannot_read_so_libvips_does() -> None:
    data = lossless(48)
    assert can_luma(inspect(data, Limits()))
    assert luma.load(data, Size(12, 12), 2) is None
    *_, last = make(data, GREY, ["small"], Limits())
    assert isinstance(last, Made)
    shown = Image.open(io.BytesIO(last.data))
    assert (shown.mode, shown.size, shown.getextrema()) == ("L", (12, 12), (128, 128))
