from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.imaging import sniff
from tests import pictures


@pytest.mark.parametrize("name", pictures.FORMATS_IN)
def test_every_format_is_known_by_its_bytes(name: str) -> None:
    assert sniff(pictures.sample(name)) == name.removesuffix("-animated")


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"", None),
        (b"hello", None),
        (b"<html><svg></svg></html>", None),
        (b"<!doctype html><svg>", None),
        (b"%PDF-1.7", None),
        (b"BM" + b"\0" * 50, None),
        (b"PK\x03\x04", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>\n<!-- a -->\n<svg>", "svg"),
        (b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x'>\n<svg>", "svg"),
        (b"\xff\x0a\x00", "jxl"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "avif"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
        (b"RIFF\x24\0\0\0WAVE", None),
    ],
)
def test_what_is_and_what_is_not(head: bytes, format: str | None) -> None:
    assert sniff(head) == format


@given(st.binary(max_size=200) | st.text(alphabet="<!-xml svg?>[]DOCTYPE\n", max_size=300).map(str.encode))
def test_any_bytes_have_an_answer(head: bytes) -> None:
    assert sniff(head) in {None, "jpeg", "png", "gif", "webp", "tiff", "jxl", "avif", "heic", "svg"}


def test_servers_load_no_image_library() -> None:
    """What the API and the worker's parent import must not bring libvips, Pillow or numpy with it."""
    code = (
        "import sys, pixelmill.imaging, pixelmill.recipes; pixelmill.recipes.load_presets();"
        "print([m for m in ('pyvips', 'PIL', 'numpy', 'pi_heif', 'imagecodecs') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
