from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Sharpen(Step):
    """Sharpen edges by an unsharp mask on lightness alone, so that colours do not shift."""

    op: Literal["sharpen"] = "sharpen"
    sigma: float = Field(0.8, ge=0.1, le=10, description="Standard deviation of the mask in pixels.")
    flat: float = Field(0, ge=0, le=100, description="Strength in flat areas.")
    jagged: float = Field(3, ge=0, le=100, description="Strength at edges.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        sigma = min(max(canvas.length(image, self.sigma), 0.1), 10)
        return on_colours(
            image, lambda colours: colours.sharpen(sigma=sigma, m1=self.flat, m2=self.jagged).cast(image.format)
        )
