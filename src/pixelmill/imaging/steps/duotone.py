from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_rgb, on_colours
from pixelmill.imaging.steps.grayscale import LUMA
from pixelmill.recipes.step import Canvas, Colour, Step, rgba

if TYPE_CHECKING:
    import pyvips


class Duotone(Step):
    """Two colours: dark tones become one, light tones the other, and those between a mixture."""

    op: Literal["duotone"] = "duotone"
    shadow: Colour = Field("#192550", description="What black becomes.")
    highlight: Colour = Field("#f3e6d3", description="What white becomes.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        dark, light = rgba(self.shadow)[:3], rgba(self.highlight)[:3]

        def tones(colours: pyvips.Image) -> pyvips.Image:
            colours = colours if colours.format == "uchar" else colours.colourspace("srgb")
            grey = colours.recomb(pyvips.Image.new_from_array([list(LUMA)])).rint().cast("uchar")
            ramp = pyvips.Image.identity()
            table = (ramp * [(b - a) / 255 for a, b in zip(dark, light, strict=True)] + list(dark)).rint().cast("uchar")
            return grey.maplut(table).copy(interpretation="srgb")

        return on_colours(as_rgb(image), tones)
