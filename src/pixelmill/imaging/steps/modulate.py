from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_rgb, on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Modulate(Step):
    """Brightness, saturation and hue, in the LCh colour space, where they do not disturb one another."""

    op: Literal["modulate"] = "modulate"
    brightness: float = Field(1, ge=0, le=10, description="Factor of lightness; 1 changes nothing.")
    saturation: float = Field(1, ge=0, le=10, description="Factor of colourfulness; 0 is grey.")
    hue: float = Field(0, ge=-360, le=360, description="Degrees by which hues turn.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        def change(colours: pyvips.Image) -> pyvips.Image:
            space = colours.interpretation
            light = colours.colourspace("lch")
            return (
                light.linear([self.brightness, self.saturation, 1], [0, 0, self.hue])
                .colourspace(space)
                .cast(colours.format)
            )

        return on_colours(as_rgb(image), change)
