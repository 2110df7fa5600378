from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pixelmill.imaging.steps._pixels import colour_bands
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips

LUMA = (0.299, 0.587, 0.114)
"""Rec. ITU-R BT.601-7, section 2.5.1: the luma a JPEG stores (JFIF), so that it can be decoded alone."""


class Grayscale(Step):
    """Black and white: each pixel's luma."""

    op: Literal["grayscale"] = "grayscale"
    makes_grey: ClassVar[bool] = True

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        if colour_bands(image) < 3:
            return image
        deep = image.format == "ushort"
        grey = image.extract_band(0, n=3).recomb(pyvips.Image.new_from_array([list(LUMA)])).rint().cast(image.format)
        grey = grey.copy(interpretation="grey16" if deep else "b-w")
        if "icc-profile-data" in grey.get_fields():
            grey.remove("icc-profile-data")  # it describes three colours
        return grey.bandjoin(image.extract_band(image.bands - 1)) if image.hasalpha() else grey
