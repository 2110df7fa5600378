"""What several steps share. libvips is imported when called, so that a recipe can be checked without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pixelmill.recipes.step import Size, rgba

if TYPE_CHECKING:
    import pyvips


def scale_to(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Scale to exactly ``size``: Lanczos 3 in the image's own gamma, as Sharp does; transparency handled."""
    if (image.width, image.height) == size:
        return image
    if image.format == "uchar":
        return image.thumbnail_image(size.width, height=size.height, size="force", no_rotate=True)
    # thumbnail_image makes everything 8 bits
    format, across, down = image.format, size.width / image.width, size.height / image.height
    if image.hasalpha():
        return image.premultiply().resize(across, vscale=down).unpremultiply().cast(format)
    return image.resize(across, vscale=down).cast(format)


def background(image: pyvips.Image, colour: str) -> list[float]:
    """``colour`` as this image's bands."""
    red, green, blue, alpha = rgba(colour)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    bands: list[float] = [red, green, blue] if colour_bands(image) == 3 else [round(grey)]
    return [*bands, alpha] if image.hasalpha() else bands


def fits(image: pyvips.Image, colour: str) -> pyvips.Image:
    """The image with the bands that ``colour`` needs: RGB unless it is grey, alpha if it is transparent."""
    red, green, blue, alpha = rgba(colour)
    if not red == green == blue:
        image = as_rgb(image)
    return with_alpha(image) if alpha < 255 else image


def colour_bands(image: pyvips.Image) -> int:
    """Bands without alpha."""
    return int(image.bands) - (1 if image.hasalpha() else 0)


def as_rgb(image: pyvips.Image) -> pyvips.Image:
    """Grey becomes RGB."""
    return image if colour_bands(image) >= 3 else image.colourspace("srgb")


def with_alpha(image: pyvips.Image) -> pyvips.Image:
    """With an alpha channel, opaque if there was none."""
    return image if image.hasalpha() else image.addalpha()


def on_colours(image: pyvips.Image, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Do ``change`` to the colours, and leave transparency as it is."""
    if not image.hasalpha():
        return change(image)
    bands = image.bands - 1
    return change(image.extract_band(0, n=bands)).bandjoin(image.extract_band(bands))


def as_bytes(image: pyvips.Image, like: pyvips.Image) -> pyvips.Image:
    """Floating-point results rounded into the pixel format and meaning of ``like``."""
    return image.rint().cast(like.format).copy(interpretation=like.interpretation)


def frames_of(image: pyvips.Image) -> list[pyvips.Image]:
    """An animation lies in memory as one tall image; its frames."""
    fields = image.get_fields()
    height = image.get("page-height") if "page-height" in fields else image.height
    assert isinstance(height, int)
    if height <= 0 or height >= image.height or image.height % height:
        return [image]
    return [image.crop(0, top, image.width, height) for top in range(0, image.height, height)]
