"""The work that every engine does, as recipes; what Sharp, pyvips and Pillow do stands beside each in their files."""

from __future__ import annotations

from typing import Any

ONE = {
    "facts": False,
    "variants": [
        {"name": "one", "steps": [{"op": "resize", "width": 512}, {"op": "grayscale"}], "output": {"quality": 80}}
    ],
}
COLOUR = {
    "facts": False,
    "variants": [{"name": "one", "steps": [{"op": "resize", "width": 512}], "output": {"quality": 80}}],
}
SIX = {
    "facts": False,
    "variants": [
        {
            "name": "square",
            "steps": [{"op": "resize", "width": 1080, "height": 1080, "fit": "cover"}],
            "output": {"quality": 80},
        },
        {
            "name": "landscape",
            "steps": [{"op": "resize", "width": 1080, "height": 566, "fit": "cover"}],
            "output": {"quality": 80},
        },
        {
            "name": "post",
            "steps": [{"op": "resize", "width": 1200, "height": 630, "fit": "cover"}],
            "output": {"quality": 80},
        },
        {
            "name": "blur",
            "steps": [{"op": "resize", "width": 1080}, {"op": "blur", "sigma": 10}],
            "output": {"quality": 80},
        },
        {"name": "bw", "steps": [{"op": "resize", "width": 1080}, {"op": "grayscale"}], "output": {"quality": 80}},
        {"name": "thumb", "steps": [{"op": "resize", "width": 256}], "output": {"format": "webp", "quality": 80}},
    ],
}


def one_format(name: str, **output: Any) -> dict[str, Any]:
    """1080 pixels wide in one format."""
    return {
        "facts": False,
        "variants": [
            {"name": "one", "steps": [{"op": "resize", "width": 1080}], "output": {"format": name, **output}},
        ],
    }


TASKS: dict[str, dict[str, Any]] = {
    "one": ONE,
    "one-colour": COLOUR,
    "six": SIX,
    "six-facts": {**SIX, "facts": True},
    "jpeg": one_format("jpeg", quality=80),
    "png": one_format("png"),
    "webp": one_format("webp", quality=80),
    "avif": one_format("avif", quality=50, effort=2),
    "jxl": one_format("jxl", quality=80),
    "gif": one_format("gif"),
    "tiff": one_format("tiff"),
}
