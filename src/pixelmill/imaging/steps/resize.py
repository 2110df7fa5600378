from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from pixelmill.imaging.steps._crop import Gravity, Point, cut, place
from pixelmill.imaging.steps._pixels import background, fits, scale_to
from pixelmill.recipes.step import Canvas, Colour, Size, Step

if TYPE_CHECKING:
    import pyvips

Side = Annotated[int, Field(ge=1, le=65_535)]


class Resize(Step):
    """Scale to a width, a height or a box. Nothing is enlarged unless `enlarge` is set."""

    op: Literal["resize"] = "resize"
    width: Side | None = Field(None, description="Width of the box; without it the height decides alone.")
    height: Side | None = Field(None, description="Height of the box; without it the width decides alone.")
    fit: Literal["contain", "cover", "fill", "inside", "outside"] = Field(
        "inside",
        description="`inside` fits in the box; `contain` also fills the rest of it with `background`; `cover` fills "
        "the box and cuts off what sticks out; `outside` covers it and cuts nothing; `fill` stretches.",
    )
    gravity: Gravity = Field("center", description="What `cover` keeps, and where `contain` puts the image.")
    focal: Point | None = Field(None, description="The point that `cover` keeps; goes before `gravity`.")
    enlarge: StrictBool = Field(False, description="Let a small image become larger.")
    dpr: float = Field(1, gt=0, le=8, description="Device pixel ratio: multiplies width and height.")
    background: Colour = Field("#ffffff", description="Fills the rest of the box with `contain`.")

    @model_validator(mode="after")
    def _some_side(self) -> Resize:
        if self.width is None and self.height is None:
            raise ValueError("resize needs width, height or both")
        return self

    def box(self, size: Size) -> Size:
        """The box in pixels; the missing side follows from the image's shape."""
        width = self.width * self.dpr if self.width else size.width * self.height * self.dpr / size.height  # type: ignore[operator]
        height = self.height * self.dpr if self.height else size.height * width / size.width
        if self.fit == "cover" and not self.enlarge:
            # The largest cut of the wanted shape that the image can give.
            shrink = min(1, size.width / width, size.height / height)
            width, height = width * shrink, height * shrink
        return Size(max(1, round(width)), max(1, round(height)))

    def scales_to(self, size: Size) -> Size:
        box = self.box(size)
        across, down = box.width / size.width, box.height / size.height
        if self.width is None or self.height is None:
            factor = across if self.width else down
            across = down = factor
        elif self.fit in ("inside", "contain"):
            across = down = min(across, down)
        elif self.fit in ("cover", "outside"):
            across = down = max(across, down)
        if not self.enlarge:
            across, down = min(1, across), min(1, down)
        target = Size(max(1, round(size.width * across)), max(1, round(size.height * down)))
        if self.fit == "cover":
            return Size(max(target.width, box.width), max(target.height, box.height))
        return target

    def after(self, size: Size) -> Size:
        return self.box(size) if self.fit in ("cover", "contain") else self.scales_to(size)

    def keeps_luma(self) -> bool:
        return self.fit != "cover" or self.gravity not in ("attention", "entropy")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        image = scale_to(image, self.scales_to(canvas.nominal))
        if self.fit == "cover":
            return cut(image, self.box(canvas.nominal), self.gravity, self.focal, canvas)
        if self.fit == "contain":
            box = self.box(canvas.nominal)
            if box != (image.width, image.height):
                left, top = place(Size(image.width, image.height), box, self.gravity)
                image = fits(image, self.background)
                return image.embed(
                    left, top, box.width, box.height, extend="background", background=background(image, self.background)
                )
        return image
