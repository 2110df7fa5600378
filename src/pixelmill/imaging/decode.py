"""One decode for all variants, at no more than the size the largest of them needs.

JPEG, WebP and SVG are decoded at a reduced scale; the others stream. What comes out lies in memory, since
the result of a scaled decode can be read only once, and every variant reads it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import pyvips

from pixelmill.imaging.header import Buffer, Header, reading
from pixelmill.imaging.profile import is_srgb
from pixelmill.imaging.steps._pixels import frames_of, scale_to
from pixelmill.recipes.step import Size


@dataclass
class Base:
    """The decoded image all variants start from: ``frames`` of one size, upright, standing for ``nominal`` pixels.

    ``shared`` are the sizes that several variants pass through, or from which smaller ones can be made.
    """

    image: pyvips.Image
    nominal: Size
    shared: frozenset[Size] = frozenset()

    @cached_property
    def native(self) -> list[pyvips.Image]:
        """The frames in the colours of the file, its ICC profile attached."""
        return frames_of(self.image)

    @cached_property
    def srgb(self) -> list[pyvips.Image]:
        """The frames in sRGB (or grey), 8 bits, no profile."""
        return frames_of(to_srgb(self.image).copy_memory())

    def at(self, target: Size, keep_profile: bool) -> list[pyvips.Image]:
        """The frames to make something of ``target`` size from: scaled to it already where others want it too."""
        key = (target, keep_profile)
        if key in self._made:
            return self._made[key]
        frames = self._above(target, keep_profile)
        if target not in self.shared or (frames[0].width, frames[0].height) == target:
            return frames
        self._made[key] = [scale_to(frame, target).copy_memory() for frame in frames]
        return self._made[key]

    def _above(self, target: Size, keep_profile: bool) -> list[pyvips.Image]:
        """The smallest frames there are that are at least twice as large, so that no detail is lost; else the base."""
        large = [
            frames
            for (size, kept), frames in self._made.items()
            if kept == keep_profile and size.width >= 2 * target.width and size.height >= 2 * target.height
        ]
        return min(large, key=lambda frames: frames[0].width, default=self.native if keep_profile else self.srgb)

    @cached_property
    def _made(self) -> dict[tuple[Size, bool], list[pyvips.Image]]:
        return {}


def decode(
    data: Buffer,
    header: Header,
    size: Size,
    animated: bool = False,
    luma: bool = False,
    shared: frozenset[Size] = frozenset(),
) -> Base:
    """Decode to ``size`` (upright), all frames if ``animated``, brightness alone if ``luma``.

    Raises :class:`PixelmillError` ``corrupt-image`` for one that is damaged or cut short, ``out-of-memory``.
    """
    with reading():
        image = load_luma(data, header, size) if luma else None
        if image is None:
            image = load(data, header, size, animated)
        return Base(_without_spare_channels(image).copy_memory(), header.size, shared)


def _without_spare_channels(image: pyvips.Image) -> pyvips.Image:
    """Colours and one channel of transparency: a TIFF may have more, and no step or format knows what they mean."""
    most = {"b-w": 2, "grey16": 2, "cmyk": 5}.get(str(image.interpretation), 4)
    return image.extract_band(0, n=most) if image.bands > most else image


def can_luma(header: Header) -> bool:
    """Whether the brightness the file stores is the brightness of the picture: a JPEG in sRGB."""
    return header.format == "jpeg" and header.bands in (1, 3) and not header.profile


def load_luma(data: Buffer, header: Header, size: Size) -> pyvips.Image | None:
    """The brightness of a JPEG at ``size``, if Pillow can read it."""
    from pixelmill.imaging.read import luma

    stored = turned(size, header.orientation)
    image = luma.load(data, stored, reduction(header.size, size))
    return None if image is None else upright(image, header.orientation)


def load(data: Buffer, header: Header, size: Size, animated: bool) -> pyvips.Image:
    """The image at ``size``, not yet read: its errors come when it is."""
    if header.format in ("heic", "jxl"):
        from pixelmill.imaging.read import heic, jxl

        return scale_to((heic if header.format == "heic" else jxl).load(data), size)
    if header.format == "avif" and header.image is not None:
        from pixelmill.imaging.read import avif

        if (image := avif.load(data, header.image)) is not None:
            return scale_to(image, size)
    source = pyvips.Source.new_from_memory(data)  # no copy, unlike a buffer in pyvips
    # thumbnail_source ignores the argument fail_on (libvips 8.18.7), the option string is honoured.
    options = "fail_on=truncated"
    if header.interpretation == "cmyk":
        return pyvips.Image.thumbnail_source(
            source,
            size.width,
            height=size.height,
            size="force",
            option_string=f"[{options}]",
            export_profile="srgb",
        )
    if header.format == "jpeg":
        from pixelmill.imaging.read import jpeg

        shrink = reduction(header.size, size)
        image = jpeg.load(data, header.image, shrink)
        if image is None:
            image = pyvips.Image.new_from_source(source, f"[shrink={shrink},{options}]", access="sequential")
        return upright(scale_to(image, turned(size, header.orientation)), header.orientation)
    if animated and header.frames > 1:
        options += ",n=-1"
    if size == header.size and header.format != "svg":
        return pyvips.Image.new_from_source(source, f"[{options}]", access="sequential").autorot()
    return pyvips.Image.thumbnail_source(
        source, size.width, height=size.height, size="force", option_string=f"[{options}]"
    )


def reduction(full: Size, size: Size) -> int:
    """By what a JPEG is shrunk in its decoder: 1, 2, 4 or 8.

    What is left for the Lanczos kernel is at least 1.25, or 2 after a reduction by 8: so the result scores 88 and more
    (SSIMULACRA2) against one scaled from all pixels, mostly 92 to 96. libvips leaves 2 always, which costs
    up to half as much time again; Sharp leaves 1, which scores down to 86.
    """
    factor = min(full.width / size.width, full.height / size.height)
    return 8 if factor >= 16 else 4 if factor >= 5 else 2 if factor >= 2.5 else 1


def turned(size: Size, orientation: int) -> Size:
    """``size`` as the file stores it."""
    return Size(size.height, size.width) if orientation >= 5 else size


def upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Turned as its EXIF orientation says."""
    if orientation == 1:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.copy_memory().autorot()


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
