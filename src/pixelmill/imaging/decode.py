"""One decode for all variants, at no more than the size the largest of them needs.

JPEG, WebP and SVG are decoded at a reduced scale; the others stream. What comes out lies in memory, since
the result of a scaled decode can be read only once, and every variant reads it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyvips

from pixelmill.imaging.header import Buffer, Header, reading
from pixelmill.imaging.profile import is_srgb
from pixelmill.imaging.steps._pixels import frames_of
from pixelmill.recipes.step import Size


@dataclass
class Base:
    """The decoded image all variants start from: ``frames`` of one size, upright, standing for ``nominal`` pixels."""

    image: pyvips.Image
    nominal: Size

    @cached_property
    def native(self) -> list[pyvips.Image]:
        """The frames in the colours of the file, its ICC profile attached."""
        return frames_of(self.image)

    @cached_property
    def srgb(self) -> list[pyvips.Image]:
        """The frames in sRGB (or grey), 8 bits, no profile."""
        return frames_of(to_srgb(self.image).copy_memory())

    def level(self, target: Size, keep_profile: bool) -> list[pyvips.Image]:
        """The frames to make something of ``target`` size from: halved as often as leaves twice that.

        libvips itself shrinks by whole steps first and leaves a factor of two to the Lanczos kernel, so the result is
        the same; what is saved is that small variants do not all walk over the large image.
        """
        frames = self.native if keep_profile else self.srgb
        shrink = 1
        while all(
            side // (shrink * 2) >= 2 * wanted
            for side, wanted in zip((frames[0].width, frames[0].height), target, strict=True)
        ):
            shrink *= 2
        if shrink == 1:
            return frames
        return self._halved(shrink, keep_profile)

    def _halved(self, shrink: int, keep_profile: bool) -> list[pyvips.Image]:
        key = (shrink, keep_profile)
        if key not in self._levels:
            above = (
                self._halved(shrink // 2, keep_profile) if shrink > 2 else (self.native if keep_profile else self.srgb)
            )
            self._levels[key] = [halve(frame).copy_memory() for frame in above]
        return self._levels[key]

    @cached_property
    def _levels(self) -> dict[tuple[int, bool], list[pyvips.Image]]:
        return {}


def halve(image: pyvips.Image) -> pyvips.Image:
    """Half as wide and high; transparent pixels do not bleed into their neighbours."""
    if not image.hasalpha():
        return image.shrink(2, 2)
    format = image.format
    return image.premultiply().shrink(2, 2).unpremultiply().cast(format)


def decode(data: Buffer, header: Header, size: Size, animated: bool = False, luma: bool = False) -> Base:
    """Decode to ``size`` (upright), all frames if ``animated``, brightness alone if ``luma``.

    Raises :class:`PixelmillError` ``corrupt-image`` for one that is damaged or cut short, ``out-of-memory``.
    """
    with reading():
        image = load_luma(data, header, size) if luma else load(data, header, size, animated)
        return Base(image.copy_memory(), header.size)


def can_luma(header: Header) -> bool:
    """Whether the brightness the file stores is the brightness of the picture: a JPEG in sRGB."""
    return header.format == "jpeg" and header.bands in (1, 3) and not header.profile


def load_luma(data: Buffer, header: Header, size: Size) -> pyvips.Image:
    """The brightness of a JPEG at ``size``."""
    from pixelmill.imaging.read import luma

    return luma.load(data, size, header.orientation)


def load(data: Buffer, header: Header, size: Size, animated: bool) -> pyvips.Image:
    """The image at ``size``, not yet read: its errors come when it is."""
    # thumbnail_source ignores the argument fail_on (libvips 8.18.7), the option string is honoured.
    if header.format in ("heic", "jxl"):
        from pixelmill.imaging.read import heic, jxl

        image = (heic if header.format == "heic" else jxl).load(data)
        if size == (image.width, image.height):
            return image
        return image.thumbnail_image(size.width, height=size.height, size="force", no_rotate=True)
    source = pyvips.Source.new_from_memory(data)  # no copy, unlike a buffer in pyvips
    options = "fail_on=truncated" + (",n=-1" if animated and header.frames > 1 else "")
    if size == header.size and header.format != "svg" and header.interpretation != "cmyk":
        return pyvips.Image.new_from_source(source, f"[{options}]", access="sequential").autorot()
    colour: dict[str, Any] = {"export_profile": "srgb"} if header.interpretation == "cmyk" else {}
    return pyvips.Image.thumbnail_source(
        source, size.width, height=size.height, size="force", option_string=f"[{options}]", **colour
    )


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """8-bit sRGB or grey, without profile."""
    if "icc-profile-data" in image.get_fields():
        profile = image.get("icc-profile-data")
        if not (isinstance(profile, bytes) and is_srgb(profile)):
            with suppress(pyvips.Error):  # A broken profile: the numbers are taken as they are.
                image = image.icc_transform("srgb", embedded=True)
        image = image.copy()
        image.remove("icc-profile-data")
    grey = image.interpretation in ("b-w", "grey16")
    wanted = "b-w" if grey else "srgb"
    if image.interpretation != wanted:
        image = image.colourspace(wanted)
    return image if image.format == "uchar" else image.cast("uchar")
