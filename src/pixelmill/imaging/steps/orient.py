from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips


class Orient(Step):
    """Turn the image upright. Every image is turned upright when it is decoded, so this changes nothing: it is here
    for recipes that say so."""

    op: Literal["orient"] = "orient"

    def keeps_luma(self) -> bool:
        return True

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        return image
