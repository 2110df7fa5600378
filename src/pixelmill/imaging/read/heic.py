"""HEIC by pi-heif: libheif with libde265, which is only a decoder, under the LGPL."""

from __future__ import annotations

from typing import Any

import pi_heif
import pyvips
from pi_heif import options

from pixelmill.errors import PixelmillError

options.DECODE_THREADS = 1  # processes are what runs in parallel
options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False

#: Modes that are read, and how many bands they have.
_BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}


def _open(data: Any) -> Any:
    try:
        file = pi_heif.open_heif(bytes(data), convert_hdr_to_8bit=True)
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError) as error:
        raise PixelmillError("corrupt-image", f"The HEIC cannot be read: {error}.") from error
    # It opens all the same when there is none, or one of no pixels.
    if not len(file) or not all(file.size):
        raise PixelmillError("corrupt-image", "The HEIC has no image in it.")
    if file.mode not in _BANDS:
        # Grey of more than 8 bits: pi-heif 1.4.0 writes beyond its memory when the stream has fewer than the header.
        raise PixelmillError("unsupported-format", f"A HEIC of the kind {file.mode} is not read.")
    return file


def header(data: Any) -> dict[str, Any]:
    """``width`` and ``height`` (upright: the decoder turns it), ``alpha``, ``icc`` and ``exif`` bytes or None."""
    file = _open(data)
    width, height = file.size
    info = file.info
    return {
        "width": width,
        "height": height,
        "alpha": file.has_alpha,
        "icc": info.get("icc_profile"),
        "exif": info.get("exif"),
    }


def load(data: Any) -> pyvips.Image:
    """The primary image at full size, with its profile attached."""
    file = _open(data)
    try:
        # Copied: pi-heif 1.4.0 frees the memory that it shows with its file, which nothing holds after this.
        pixels = bytes(file.data)
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError) as error:
        raise PixelmillError("corrupt-image", f"The HEIC cannot be read: {error}.") from error
    width, height = file.size
    bands = _BANDS[file.mode]
    image = pyvips.Image.new_from_memory(pixels, width, height, bands, "uchar")
    image = image.copy(interpretation="srgb" if bands >= 3 else "b-w")
    if file.has_alpha and file.premultiplied_alpha:
        image = image.unpremultiply().cast("uchar")
    if profile := file.info.get("icc_profile"):
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image
