"""Which engine makes the pixels: results of another one are not given out as if this one had made them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from pixelmill import recipes

#: What decodes, changes and encodes pixels, or judges them, by the names of the packages.
LIBRARIES = (
    "ajpegli",
    "blazediff-ssim",
    "blurhash",
    "fast-thumbhash",
    "imagecodecs",
    "numpy",
    "pi-heif",
    "pillow",
    "pyvips",
    "pyvips-binary",
    "simplejpeg",
    "ssimulacra2",
)


@cache
def engine_version() -> str:
    """A digest of this engine's own code and of the versions of its libraries, as hex.

    The code, not a number that somebody must remember to raise. The machine's fonts are not in it.
    """
    digest = hashlib.sha256()
    for library in LIBRARIES:
        try:
            found = installed(library)
        except PackageNotFoundError:
            found = "none"
        digest.update(f"{library} {found}\n".encode())
    for folder in (Path(__file__).parent, Path(recipes.__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
