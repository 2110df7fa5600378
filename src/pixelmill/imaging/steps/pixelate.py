from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Pixelate(Step):
    """Show the image in coarse squares."""

    op: Literal["pixelate"] = "pixelate"
    size: int = Field(10, ge=2, le=1000, description="Side of a square in pixels.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        side = max(1, round(canvas.length(image, self.size)))
        width, height = image.width, image.height
        if side < 2:
            return image

        def squares(colours: pyvips.Image) -> pyvips.Image:
            full = colours.embed(0, 0, -(-width // side) * side, -(-height // side) * side, extend="copy")
            return full.shrink(side, side).zoom(side, side).crop(0, 0, width, height)

        return squares(image) if not image.hasalpha() else on_colours(image, squares)
