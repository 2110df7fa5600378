from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from pixelmill.imaging.steps._crop import Gravity, Point, cut
from pixelmill.recipes.step import Canvas, Size, Step

if TYPE_CHECKING:
    import pyvips

Side = Annotated[int, Field(ge=1, le=65_535)]


class Crop(Step):
    """Cut out a rectangle: at a place (`left`, `top`), at a focal point, or by gravity."""

    op: Literal["crop"] = "crop"
    width: Side = Field(description="Width of the rectangle.")
    height: Side = Field(description="Height of the rectangle.")
    left: Annotated[int, Field(ge=0, le=65_535)] | None = Field(
        None, description="From the left edge; needs `top` too."
    )
    top: Annotated[int, Field(ge=0, le=65_535)] | None = Field(None, description="From the top edge; needs `left` too.")
    gravity: Gravity = Field("center", description="Where to cut when no place is given.")
    focal: Point | None = Field(None, description="The point to keep; goes before `gravity`.")

    @model_validator(mode="after")
    def _place(self) -> Crop:
        if (self.left is None) != (self.top is None):
            raise ValueError("crop takes left and top together")
        if self.left is not None and self.focal is not None:
            raise ValueError("crop takes a place or a focal point, not both")
        return self

    def rectangle(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, width, height inside ``size``."""
        left, top = min(self.left or 0, size.width - 1), min(self.top or 0, size.height - 1)
        return left, top, min(self.width, size.width - left), min(self.height, size.height - top)

    def after(self, size: Size) -> Size:
        return Size(*self.rectangle(size)[2:])

    def keeps_luma(self) -> bool:
        return self.gravity not in ("attention", "entropy")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        across, down = canvas.scale(image)
        left, top, width, height = self.rectangle(canvas.nominal)
        size = Size(min(max(1, round(width * across)), image.width), min(max(1, round(height * down)), image.height))
        if self.left is None:
            return cut(image, size, self.gravity, self.focal, canvas)
        left, top = (
            min(round(left * across), image.width - size.width),
            min(round(top * down), image.height - size.height),
        )
        return image.crop(left, top, size.width, size.height)
