from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_rgb
from pixelmill.recipes.step import Canvas, Colour, Step, rgba

if TYPE_CHECKING:
    import pyvips


class Flatten(Step):
    """Lay the image on a background, so that nothing is transparent."""

    op: Literal["flatten"] = "flatten"
    background: Colour = Field("#ffffff", description="The colour beneath; its own transparency is ignored.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        if not image.hasalpha():
            return image
        return as_rgb(image).flatten(background=list(rgba(self.background)[:3]))
