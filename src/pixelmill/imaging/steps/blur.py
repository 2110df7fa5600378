from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Blur(Step):
    """Gaussian blur."""

    op: Literal["blur"] = "blur"
    sigma: float = Field(ge=0.3, le=250, description="Standard deviation in pixels.")

    def keeps_luma(self) -> bool:
        return True

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        sigma = canvas.length(image, self.sigma)
        if sigma < 0.2:
            return image
        if image.hasalpha():
            return image.premultiply().gaussblur(sigma).unpremultiply().cast(image.format)
        return image.gaussblur(sigma)
