"""What a file has beside its pixels, where libvips read that and another library these."""

from __future__ import annotations

import pyvips

_KEPT = ("exif-", "xmp-data", "iptc-data", "icc-profile-data", "resolution-unit")


def carry(header: pyvips.Image, image: pyvips.Image) -> None:
    """Give ``image``, which nobody else has yet, what ``header`` has."""
    for field in header.get_fields():
        if field.startswith(_KEPT):
            image.set_type(header.get_typeof(field), field, header.get(field))
