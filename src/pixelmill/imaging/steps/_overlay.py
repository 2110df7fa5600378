"""Laying one image over another: where, how large, how strong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pixelmill.imaging.steps._crop import place
from pixelmill.imaging.steps._pixels import as_rgb, with_alpha
from pixelmill.recipes.step import Size

if TYPE_CHECKING:
    import pyvips

Position = Literal["center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest"]


def fade(overlay: pyvips.Image, opacity: float) -> pyvips.Image:
    """RGBA, its alpha times ``opacity``."""
    overlay = with_alpha(as_rgb(overlay))
    if opacity >= 1:
        return overlay
    return overlay.extract_band(0, n=3).bandjoin((overlay.extract_band(3) * opacity).rint().cast("uchar"))


def tile(overlay: pyvips.Image, size: Size, gap: int) -> pyvips.Image:
    """Repeat over ``size`` with transparent gaps."""
    cell = overlay.embed(gap // 2, gap // 2, overlay.width + gap, overlay.height + gap)
    across, down = -(-size.width // cell.width), -(-size.height // cell.height)
    return cell.replicate(across, down).crop(0, 0, size.width, size.height)


def lay(image: pyvips.Image, overlay: pyvips.Image, position: str, margin: int) -> pyvips.Image:
    """``overlay`` (RGBA) over ``image``; what sticks out is cut off. The image keeps its own transparency."""
    room = Size(max(1, image.width - 2 * margin), max(1, image.height - 2 * margin))
    left, top = place(Size(overlay.width, overlay.height), room, position)
    base = as_rgb(image)
    deep = base.format
    if deep != "uchar":
        base = base.colourspace("srgb").cast("uchar")
    done = base.composite2(overlay, "over", x=left + margin, y=top + margin).cast("uchar")
    done = done.copy(interpretation="srgb")
    return done if base.hasalpha() else done.extract_band(0, n=3)
