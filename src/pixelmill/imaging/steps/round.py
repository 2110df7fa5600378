from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import with_alpha
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Round(Step):
    """Round the corners; what is cut off becomes transparent, or the output's background."""

    op: Literal["round"] = "round"
    radius: Annotated[int, Field(ge=1, le=65_535)] | Literal["full"] = Field(
        description="Radius in pixels; `full` makes a circle of a square."
    )

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        width, height = image.width, image.height
        half = min(width, height) / 2
        radius = half if self.radius == "full" else min(canvas.length(image, self.radius), half)
        # Distance from a rounded rectangle, from each pixel's middle: half a pixel on each side of the edge is mixed.
        place = pyvips.Image.xyz(width, height) + 0.5
        away = (place - [width / 2, height / 2]).abs() - [width / 2 - radius, height / 2 - radius]
        outside = (away > 0).ifthenelse(away, 0)
        distance = (outside.extract_band(0) ** 2 + outside.extract_band(1) ** 2) ** 0.5 - radius
        mask = (0.5 - distance) * 255
        mask = (mask < 0).ifthenelse(0, (mask > 255).ifthenelse(255, mask)).rint().cast("uchar")
        image = with_alpha(image)
        alpha = image.extract_band(image.bands - 1)
        # 8-bit or 16-bit alike: the mask is a share of what alpha there is.
        alpha = (alpha * (mask / 255.0)).rint().cast(image.format)
        return image.extract_band(0, n=image.bands - 1).bandjoin(alpha)
