"""JPEG: libjpeg-turbo's speed by default, mozjpeg's trellis from effort 7 on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelmill.imaging.encode._format import Encoding, Format

if TYPE_CHECKING:
    import pyvips


def encode(image: pyvips.Image, encoding: Encoding) -> bytes:
    output = encoding.output
    options: dict[str, Any] = {"optimize_coding": True, "interlace": bool(output.progressive)}
    if (output.effort or 0) >= 7:
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


FORMAT = Format("jpeg", "jpg", "image/jpeg", encode, quality=80, alpha=False)
