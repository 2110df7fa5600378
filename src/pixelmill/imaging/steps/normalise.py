from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_bytes, on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Normalise(Step):
    """Stretch the tones so that the darkest become black and the lightest white."""

    op: Literal["normalise"] = "normalise"
    lower: float = Field(1, ge=0, le=49, description="So many per cent of the pixels become black.")
    upper: float = Field(99, ge=51, le=100, description="The pixels above this percentile become white.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        white = 65535 if image.format == "ushort" else 255
        if "range" not in canvas.notes:
            colours = image.extract_band(0, n=image.bands - 1) if image.hasalpha() else image
            # Percentiles of luma alone, so that the balance of colours stays.
            grey = colours.colourspace("grey16" if white > 255 else "b-w") if colours.bands > 1 else colours
            canvas.notes["range"] = (grey.percent(self.lower) if self.lower else grey.min(), grey.percent(self.upper))
        dark, light = canvas.notes["range"]
        if light <= dark:
            return image
        factor = white / (light - dark)
        return on_colours(image, lambda colours: as_bytes(colours.linear(factor, -dark * factor), colours))
