"""AVIF by Pillow, whose decoder is dav1d: four times as fast as aom's, the only one in libvips' wheel.

Only what is plain. Deep colours, sequences, and what libheif turns or cuts for its container, libvips reads as before;
there, colours that were stored multiplied by their transparency come out too dark, and here they do not.
"""

from __future__ import annotations

import io
from typing import Any

import pyvips
from PIL import AvifImagePlugin, ExifTags, Image

from pixelmill.imaging.read import beside

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # processes are what runs in parallel

_MODES = {3: "RGB", 4: "RGBA"}
#: Pixels of the largest that is read here: it lies in memory whole, as planes, as colours and as a copy of these.
_MOST = 50_000_000
#: Pixels a byte. Where there are more, the size may be a lie of the container: dav1d's user libavif then stretches what
#: there is to that size, while libheif tells that they differ.
_DENSE = 1_000


def load(data: Any, header: pyvips.Image) -> pyvips.Image | None:
    """The image at full size, with what libvips found beside pixels (``header``). None: libvips is to read it.

    So too when it is damaged: then libvips says why.
    """
    pixels = header.width * header.height
    if header.format != "uchar" or header.bands not in _MODES or pixels > min(_MOST, _DENSE * len(data)):
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("AVIF",)) as file:
            plain = (
                file.size == (header.width, header.height)
                and file.mode == _MODES[header.bands]
                and getattr(file, "n_frames", 1) == 1
                and file.getexif().get(ExifTags.Base.Orientation, 1) == 1
            )
            if not plain:
                return None
            # As libavif gives it: to go by Pillow's own four bytes a pixel and back takes a tenth of the whole time.
            decoder: Any = vars(file)["_decoder"]
            raw = decoder.get_frame(0)[0]
    except Exception:  # Pillow raises what it meets in a broken file, and libvips may do with less memory
        return None
    if len(raw) != pixels * header.bands:
        return None
    image = pyvips.Image.new_from_memory(raw, header.width, header.height, header.bands, "uchar")
    image = image.copy(interpretation="srgb")
    beside.carry(header, image)
    return image
