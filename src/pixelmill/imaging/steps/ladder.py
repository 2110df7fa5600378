from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from pixelmill.imaging.steps._pixels import scale_to
from pixelmill.recipes.step import Canvas, Model, Size, Step

if TYPE_CHECKING:
    import pyvips


class Rung(Model):
    """Images up to `upTo` pixels wide become at most `width` wide; without `width` they keep their size."""

    up_to: Annotated[int, Field(ge=1)] | None = None
    width: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Ladder(Step):
    """Scale by a ladder of widths: the first rung wide enough says how wide the image becomes. Never enlarges."""

    op: Literal["ladder"] = "ladder"
    rungs: tuple[Rung, ...] = Field(
        min_length=1, max_length=50, description="From narrow to wide; the last may have no `upTo`."
    )

    @model_validator(mode="after")
    def _ascending(self) -> Ladder:
        marks = [rung.up_to for rung in self.rungs]
        known = [mark for mark in marks if mark is not None]
        if None in marks[:-1] or known != sorted(set(known)):
            raise ValueError("the rungs' upTo must ascend, and only the last may be without")
        return self

    def scales_to(self, size: Size) -> Size:
        for rung in self.rungs:
            if rung.up_to is None or size.width <= rung.up_to:
                width = min(rung.width or size.width, size.width)
                return Size(width, max(1, round(size.height * width / size.width)))
        return size

    def after(self, size: Size) -> Size:
        return self.scales_to(size)

    def keeps_luma(self) -> bool:
        return True

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        return scale_to(image, self.scales_to(canvas.nominal))
