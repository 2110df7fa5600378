from __future__ import annotations

import pytest

from pixelmill.imaging.read import luma
from pixelmill.imaging.steps._pixels import scale_to
from pixelmill.recipes.step import Size
from tests import pictures


@pytest.mark.parametrize(
    "size", [Size(512, 288), Size(100, 300), Size(639, 359), Size(1, 1), Size(640, 360), Size(7, 359)]
)
def test_it_is_shrunk_to_the_same_pixels_as_any_other(size: Size) -> None:
    grey = pictures.photo(640, 360).colourspace("b-w")
    ours, usual = luma._scaled(grey, size), scale_to(grey, size)
    assert (ours.width, ours.height) == size
    assert (ours - usual).abs().max() == 0
