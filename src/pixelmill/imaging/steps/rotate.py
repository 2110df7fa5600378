from __future__ import annotations

from math import cos, radians, sin
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import background, fits
from pixelmill.recipes.step import Canvas, Colour, Size, Step

if TYPE_CHECKING:
    import pyvips


class Rotate(Step):
    """Turn clockwise. Other angles than quarter turns make the image larger and fill its corners."""

    op: Literal["rotate"] = "rotate"
    angle: float = Field(ge=-360, le=360, description="Degrees, clockwise.")
    background: Colour = Field("#ffffff", description="Fills the corners.")

    def after(self, size: Size) -> Size:
        turn = self.angle % 360
        if turn % 180 == 0:
            return size
        if turn % 90 == 0:
            return Size(size.height, size.width)
        across, down = abs(cos(radians(turn))), abs(sin(radians(turn)))
        return Size(
            max(1, round(size.width * across + size.height * down)),
            max(1, round(size.width * down + size.height * across)),
        )

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        turn = self.angle % 360
        if turn % 90 == 0:
            return image if turn == 0 else image.rot(f"d{round(turn)}")
        image = fits(image, self.background)
        return image.similarity(angle=turn, background=background(image, self.background)).cast(image.format)
