from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_rgb, on_colours
from pixelmill.recipes.step import Canvas, Colour, Step, rgba

if TYPE_CHECKING:
    import pyvips


class Tint(Step):
    """Give the image the hue of a colour and keep its lightness."""

    op: Literal["tint"] = "tint"
    colour: Colour = Field(description="The colour whose hue and strength are taken.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        swatch = (pyvips.Image.black(1, 1, bands=3) + list(rgba(self.colour)[:3])).cast("uchar")
        _, green_red, blue_yellow = swatch.copy(interpretation="srgb").colourspace("lab").getpoint(0, 0)

        def change(colours: pyvips.Image) -> pyvips.Image:
            lightness = colours.colourspace("lab").extract_band(0)
            toned = lightness.bandjoin_const([green_red, blue_yellow]).copy(interpretation="lab")
            return toned.colourspace(colours.interpretation).cast(colours.format)

        return on_colours(as_rgb(image), change)
