from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictBool, field_validator

from pixelmill.errors import PixelmillError
from pixelmill.imaging.sniff import sniff
from pixelmill.imaging.steps._overlay import Position, fade, lay, tile
from pixelmill.recipes.step import Canvas, Size, Step

if TYPE_CHECKING:
    import pyvips

TYPES = ("png", "webp", "jpeg", "gif", "svg")
MOST_PIXELS = 4_000_000


class Watermark(Step):
    """Lay a picture over the image. The picture travels in the recipe itself, so that a recipe is whole."""

    op: Literal["watermark"] = "watermark"
    image: Annotated[str, Field(max_length=200_000)] = Field(
        description="The picture (PNG, WebP, JPEG, GIF or SVG) as a `data:` URI in base64, or the base64 alone."
    )
    position: Position = Field("southeast", description="Where it lies.")
    margin: int = Field(16, ge=0, le=10_000, description="Pixels between it and the edges.")
    scale: float | None = Field(
        None, gt=0, le=1, description="Its width as a share of the image's width; without it, its own size."
    )
    opacity: float = Field(1, ge=0, le=1, description="0 cannot be seen, 1 hides what is beneath.")
    tiled: StrictBool = Field(False, description="Repeat it over the whole image.")
    gap: int = Field(32, ge=0, le=10_000, description="Pixels between repetitions.")

    @field_validator("image")
    @classmethod
    def _a_picture(cls, value: str) -> str:
        if sniff(_bytes(value)) not in TYPES:
            raise ValueError(f"the watermark is no picture: one of {', '.join(TYPES)}, in base64")
        return value

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        overlay = canvas.notes.get("overlay")
        if overlay is None:
            overlay = canvas.notes["overlay"] = self._overlay(image, canvas)
        if self.tiled:
            gap = round(canvas.length(image, self.gap))
            return lay(image, tile(overlay, Size(image.width, image.height), gap), "northwest", 0)
        return lay(image, overlay, self.position, round(canvas.length(image, self.margin)))

    def _overlay(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        try:
            picture = pyvips.Image.new_from_buffer(_bytes(self.image), "")
            if picture.width * picture.height > MOST_PIXELS:
                raise PixelmillError("bad-recipe", f"The watermark has more than {MOST_PIXELS:,} pixels.")
            width = self.scale * image.width if self.scale else canvas.length(image, picture.width)
            picture = pyvips.Image.thumbnail_buffer(
                _bytes(self.image), max(1, round(width)), height=10_000_000, export_profile="srgb"
            )
            return fade(picture.colourspace("srgb").cast("uchar"), self.opacity).copy_memory()
        except pyvips.Error as error:
            raise PixelmillError("bad-recipe", "The watermark cannot be read.") from error


def _bytes(value: str) -> bytes:
    text = value.partition(";base64,")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the watermark is not base64") from error
