"""JPEG: libjpeg-turbo's speed by default, Huffman tables for the picture from effort 4 on, mozjpeg's trellis from 7 on.

Tables for the picture take the time of encoding it once more, for 1.5 per cent of the bytes at quality 80 and 4 at 60
(1080 pixels wide): a tenth of a decoder's work for six variants of a photograph. So they are made unasked only for
thumbnails, where they save 3 to 7 per cent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelmill.imaging.encode._format import KEEP_EXIF, KEEP_ICC, Encoding, Format
from pixelmill.imaging.encode.jxl import distance

if TYPE_CHECKING:
    import pyvips


#: Pixels up to which a picture gets tables of its own in any case.
THUMBNAIL = 256 * 256


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    output = encoding.output
    if encoding.squeeze and image.format == "uchar":
        return _jpegli(image, encoding)
    effort = output.effort or 0
    own_tables = effort >= 4 or image.width * image.height <= THUMBNAIL
    options: dict[str, Any] = {"optimize_coding": own_tables, "interlace": bool(output.progressive)}
    if effort >= 7:
        # mozjpeg's own defaults: trellis quantisation, the tables for it, scans chosen by size.
        options |= {
            "interlace": output.progressive is not False,
            "trellis_quant": True,
            "overshoot_deringing": True,
            "optimize_scans": output.progressive is not False,
            "quant_table": 3,
        }
    subsample = "off" if output.subsampling == "4:4:4" else "on"
    data: bytes = image.jpegsave_buffer(
        Q=round(encoding.quality or 80), keep=encoding.keep, subsample_mode=subsample, **options
    )
    return data


def _jpegli(image: pyvips.Image, encoding: Encoding) -> bytes:
    """jpegli: a sixth fewer bytes than libjpeg at the same look, for as little work (``docs/explanation/quality.md``).

    Its files decode everywhere. Its quality is libjpeg's by name only, so it is used where the look or the size
    decides.
    """
    import ajpegli

    pixels = image.numpy()
    fields = image.get_fields()
    profile = image.get("icc-profile-data") if encoding.keep & KEEP_ICC and "icc-profile-data" in fields else None
    data: bytes = ajpegli.encode(
        pixels,
        distance=max(0.05, distance(encoding.quality or 75)),
        progressive=0 if encoding.output.progressive is False else 2,
        subsampling="444" if encoding.output.subsampling == "4:4:4" else "420",
        icc_profile=profile,
        exif=_exif(image) if encoding.keep & KEEP_EXIF else None,
    )
    return data


def _exif(image: pyvips.Image) -> bytes | None:
    """The EXIF block as libvips would write it, from a tiny JPEG."""
    data = image.crop(0, 0, 1, 1).jpegsave_buffer(keep=KEEP_EXIF)
    start = data.find(b"\xff\xe1")
    if start < 0 or data[start + 4 : start + 10] != b"Exif\0\0":
        return None
    return bytes(data[start + 10 : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")])


FORMAT = Format("jpeg", "jpg", "image/jpeg", encode, quality=80, alpha=False)
