from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import colour_bands
from pixelmill.recipes.step import Canvas, Size, Step

if TYPE_CHECKING:
    import pyvips


class Trim(Step):
    """Cut off borders of one colour, that of the top left pixel."""

    op: Literal["trim"] = "trim"
    threshold: float = Field(10, ge=0, le=255, description="How far a pixel's value may be from the border's.")

    def after(self, size: Size) -> Size | None:
        return None  # only the pixels can tell

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        if "box" not in canvas.notes:
            if min(image.width, image.height) < 3:  # find_trim looks at squares of three
                return image
            corner = image.getpoint(0, 0)
            left, top, width, height = image.find_trim(
                threshold=self.threshold, background=corner[: colour_bands(image)]
            )
            # An image of one colour has nothing but border: it is left as it is.
            canvas.notes["box"] = (left, top, width, height) if width and height else (0, 0, image.width, image.height)
        return image.crop(*canvas.notes["box"])
