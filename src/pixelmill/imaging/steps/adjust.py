from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_bytes, on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Adjust(Step):
    """Brightness and contrast of the colour values, as a photo editor's two sliders."""

    op: Literal["adjust"] = "adjust"
    brightness: float = Field(0, ge=-100, le=100, description="Added to every value, in per cent of white.")
    contrast: float = Field(0, ge=-100, le=100, description="Per cent by which values move away from middle grey.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        white = 65535 if image.format == "ushort" else 255
        factor = 1 + self.contrast / 100
        shift = white / 2 * (1 - factor) + white * self.brightness / 100
        return on_colours(image, lambda colours: as_bytes(colours.linear(factor, shift), colours))
