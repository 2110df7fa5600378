from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.imaging.steps._overlay import Position, lay
from pixelmill.recipes.step import Canvas, Colour, Step, rgba

if TYPE_CHECKING:
    import pyvips

FONT = Path(__file__).parent.parent / "fonts" / "DejaVuSans.ttf"


class Text(Step):
    """Write on the image, in DejaVu Sans, which comes with the package. Right-to-left scripts and line breaks work."""

    op: Literal["text"] = "text"
    text: str = Field(min_length=1, max_length=1000, description="What to write.")
    size: float = Field(32, ge=4, le=2000, description="Height of the letters in pixels.")
    colour: Colour = Field("#ffffff", description="Colour of the letters.")
    background: Colour = Field("#00000080", description="Colour of the box behind them.")
    padding: int = Field(8, ge=0, le=1000, description="Pixels between the letters and the edge of the box.")
    position: Position = Field("southeast", description="Where it lies.")
    margin: int = Field(16, ge=0, le=10_000, description="Pixels between the box and the edges of the image.")
    align: Literal["left", "center", "right"] = Field("left", description="How lines lie to one another.")

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        box = canvas.notes.get("box")
        if box is None:
            box = canvas.notes["box"] = self._box(image, canvas)
        return lay(image, box, self.position, round(canvas.length(image, self.margin)))

    def _box(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        import pyvips

        size = max(1.0, canvas.length(image, self.size))
        padding, margin = (round(canvas.length(image, length)) for length in (self.padding, self.margin))
        # Pango reads markup: what is written is text and nothing else.
        written = self.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\0", "")
        mask = pyvips.Image.text(
            written,
            font=f"DejaVu Sans {size:.2f}px",
            fontfile=str(FONT),
            width=max(1, image.width - 2 * (margin + padding)),
            align={"left": "low", "center": "centre", "right": "high"}[self.align],
            wrap="word-char",
        )
        mask = mask.crop(0, 0, mask.width, min(mask.height, image.height))
        mask = mask.embed(padding, padding, mask.width + 2 * padding, mask.height + 2 * padding)
        letters, behind = rgba(self.colour), rgba(self.background)
        ink = _plane(mask, letters[:3]).bandjoin((mask * (letters[3] / 255)).rint().cast("uchar"))
        under = _plane(mask, behind)
        return under.composite2(ink.copy(interpretation="srgb"), "over").cast("uchar").copy_memory()


def _plane(like: pyvips.Image, values: tuple[int, ...]) -> pyvips.Image:
    import pyvips

    plane = pyvips.Image.black(like.width, like.height, bands=len(values)) + list(values)
    return plane.cast("uchar").copy(interpretation="srgb")
