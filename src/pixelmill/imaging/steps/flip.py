from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Flip(Step):
    """Mirror the image."""

    op: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical", "both"] = Field(
        "horizontal", description="`horizontal` swaps left and right, `vertical` swaps top and bottom."
    )

    def keeps_luma(self) -> bool:
        return True

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        if self.direction in ("horizontal", "both"):
            image = image.fliphor()
        return image.flipver() if self.direction in ("vertical", "both") else image
