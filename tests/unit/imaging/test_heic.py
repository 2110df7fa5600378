"""What pi-heif reads, to the pixel."""

from __future__ import annotations

import pi_heif
import pytest
import pyvips

from pixelmill.imaging.read import heic
from tests import pictures


@pytest.mark.parametrize("name", ["rgb", "grey", "rgba-10"])
def test_its_pixels_stay_when_the_file_is_let_go(name: str) -> None:
    """pi-heif 1.4.0 frees them with the file: larger pictures ended their decoder, small ones might be another's."""
    data = (pictures.DATA / "formats" / f"{name}.heic").read_bytes()
    file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    wanted = bytes(file.data)
    images = []
    for _ in range(40):
        images.append(heic.load(data))
        images.append(pyvips.Image.black(128, 128, bands=4).copy_memory())
    assert all(image.write_to_memory() == wanted for image in images[::2])
