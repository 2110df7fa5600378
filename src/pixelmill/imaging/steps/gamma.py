from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Gamma(Step):
    """Lighten (above 1) or darken (below 1) the middle tones; black and white stay."""

    op: Literal["gamma"] = "gamma"
    gamma: float = Field(ge=0.1, le=10, description="Exponent.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        return on_colours(image, lambda colours: colours.gamma(exponent=self.gamma))
