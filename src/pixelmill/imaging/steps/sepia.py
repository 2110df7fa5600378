from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._pixels import as_bytes, as_rgb, on_colours
from pixelmill.recipes.step import Canvas, Step

if TYPE_CHECKING:
    import pyvips

MATRIX = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))
"""W3C Filter Effects, ``sepia()``."""


class Sepia(Step):
    """Brown tones, as of an old photograph."""

    op: Literal["sepia"] = "sepia"
    amount: float = Field(1, ge=0, le=1, description="0 leaves the colours, 1 is full sepia.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        rows = [
            [
                self.amount * value + (1 - self.amount) * (1.0 if row == column else 0.0)
                for column, value in enumerate(line)
            ]
            for row, line in enumerate(MATRIX)
        ]
        matrix = pyvips.Image.new_from_array(rows)
        return on_colours(as_rgb(image), lambda colours: as_bytes(colours.recomb(matrix), colours))
