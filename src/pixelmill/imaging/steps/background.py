from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_rgb
from pixelmill.recipes.step import Canvas, Colour, Step, rgba

if TYPE_CHECKING:
    import pyvips


class Background(Step):
    """Lay the image on a colour, which may itself be transparent in part."""

    op: Literal["background"] = "background"
    colour: Colour = Field("#ffffff", description="The colour beneath.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        if not image.hasalpha():
            return image
        image = as_rgb(image)
        under = (pyvips.Image.black(1, 1, bands=4) + list(rgba(self.colour))).cast("uchar").copy(interpretation="srgb")
        under = under.embed(0, 0, image.width, image.height, extend="copy")
        return under.composite2(image, "over").cast(image.format)
