from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import background, fits
from pixelmill.recipes.step import Canvas, Colour, Size, Step

if TYPE_CHECKING:
    import pyvips

Edge = Annotated[int, Field(ge=0, le=65_535)]


class Pad(Step):
    """Extend the image on its sides: with a colour, with its own edge pixels, or with its mirror image."""

    op: Literal["pad"] = "pad"
    top: Edge = Field(0, description="Pixels above.")
    right: Edge = Field(0, description="Pixels to the right.")
    bottom: Edge = Field(0, description="Pixels below.")
    left: Edge = Field(0, description="Pixels to the left.")
    extend: Literal["background", "copy", "mirror"] = Field("background", description="What fills the new pixels.")
    background: Colour = Field("#ffffff", description="The colour for `background`.")

    def after(self, size: Size) -> Size:
        return Size(size.width + self.left + self.right, size.height + self.top + self.bottom)

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        across, down = canvas.scale(image)
        left, top = round(self.left * across), round(self.top * down)
        width, height = image.width + left + round(self.right * across), image.height + top + round(self.bottom * down)
        if self.extend != "background":
            return image.embed(left, top, width, height, extend=self.extend)
        image = fits(image, self.background)
        return image.embed(left, top, width, height, extend="background", background=background(image, self.background))
