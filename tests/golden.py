"""Golden pictures: what each step and preset makes of one photograph, kept as small files, compared by look.

    python -m tests.golden --report FOLDER   after an upgrade of libvips: what changed, with pictures, as a page
    python -m tests.golden --accept          takes what is made now as golden

Bytes may differ between versions of a codec; what the eye sees may not.
"""

from __future__ import annotations

import argparse
import os
from html import escape
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pyvips

from pixelmill.imaging.make import make
from pixelmill.imaging.quality.metric import score
from pixelmill.imaging.results import Limits, Made
from pixelmill.recipes import load_presets, parse_recipe
from tests import pictures

FOLDER = pictures.DATA / "golden"
ALIKE = 80.0
"""Golden pictures are kept as nearly lossless WebP, which itself costs up to 17 on the smallest of them."""

STEPS: dict[str, list[dict[str, Any]]] = {
    "adjust": [{"op": "adjust", "brightness": 10, "contrast": 30}],
    "blur": [{"op": "blur", "sigma": 3}],
    "contain": [{"op": "resize", "width": 120, "height": 120, "fit": "contain", "background": "#336699"}],
    "cover-attention": [{"op": "resize", "width": 80, "height": 110, "fit": "cover", "gravity": "attention"}],
    "crop-entropy": [{"op": "crop", "width": 90, "height": 90, "gravity": "entropy"}],
    "duotone": [{"op": "duotone"}],
    "gamma": [{"op": "gamma", "gamma": 1.8}],
    "grayscale": [{"op": "grayscale"}],
    "modulate": [{"op": "modulate", "brightness": 1.1, "saturation": 1.6, "hue": 40}],
    "normalise": [{"op": "normalise"}],
    "pad-mirror": [{"op": "pad", "left": 20, "right": 20, "extend": "mirror"}],
    "pixelate": [{"op": "pixelate", "size": 12}],
    "rotate": [{"op": "rotate", "angle": 20, "background": "#204060"}],
    "round": [{"op": "round", "radius": 30}],
    "sepia": [{"op": "sepia"}],
    "sharpen": [{"op": "sharpen", "sigma": 1.5}],
    "text": [{"op": "text", "text": "Pixelmill · мельница · مطحنة", "size": 14}],
    "tint": [{"op": "tint", "colour": "#ff8800"}],
}
PRESETS = ("default", "blur", "black-and-white", "avatar", "thumbnail")


def made() -> dict[str, pyvips.Image]:
    """Every picture as it is made now, by name; at most 200 pixels wide."""
    data = (pictures.PHOTOS / "crop-progressive.jpg").read_bytes()
    resize = {"op": "resize", "width": 160}
    variants = [
        {"name": f"step-{name}", "steps": [resize, *steps], "output": {"format": "png"}}
        for name, steps in STEPS.items()
    ]
    recipes = [parse_recipe({"facts": False, "variants": variants})]
    for preset in PRESETS:
        asked = load_presets()[preset].recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
        asked["variants"] = [{**v, "name": f"preset-{preset}-{v['name']}"} for v in asked["variants"]]
        recipes.append(parse_recipe(asked))
    found: dict[str, pyvips.Image] = {}
    for recipe in recipes:
        for result in make(data, recipe, [variant.name for variant in recipe.variants], Limits()):
            if isinstance(result, Made):
                image = pyvips.Image.new_from_buffer(bytes(result.data), "")
                small = image.thumbnail_image(200, height=200, size="down")
                found[result.variant] = small.copy_memory()
    return found


def golden(name: str) -> pyvips.Image | None:
    path = FOLDER / f"{name}.webp"
    return pyvips.Image.new_from_file(str(path)).copy_memory() if path.exists() else None


def compare(name: str, image: pyvips.Image) -> float:
    """How alike it is to its golden picture; minus 100 when there is none, or it has another size."""
    kept = golden(name)
    if kept is None or (kept.width, kept.height) != (image.width, image.height):
        return -100.0
    return score(kept.colourspace("srgb"), image.colourspace("srgb"))


def accept() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.webp"):
        path.unlink()
    for name, image in made().items():
        image.webpsave(str(FOLDER / f"{name}.webp"), near_lossless=True, Q=60, effort=6, keep=0)


def report(folder: Path) -> None:
    """A page with each picture as it was, as it is, and their difference eightfold; the most changed first."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, image in made().items():
        likeness, kept = compare(name, image), golden(name)
        image.pngsave(str(folder / f"{name}-now.png"))
        cells = f'<td>{escape(name)}</td><td>{likeness:.1f}</td><td><img src="{name}-now.png"></td>'
        if kept is not None:
            kept.pngsave(str(folder / f"{name}-was.png"))
            cells += f'<td><img src="{name}-was.png"></td>'
            if likeness > -100:
                difference = (kept.colourspace("srgb")[:3] - image.colourspace("srgb")[:3]).abs() * 8
                difference.cast("uchar").copy(interpretation="srgb").pngsave(str(folder / f"{name}-change.png"))
                cells += f'<td><img src="{name}-change.png"></td>'
        rows.append((likeness, f"<tr>{cells}</tr>"))
    version = ".".join(str(pyvips.version(part)) for part in range(3))
    page = (
        f"<!doctype html><meta charset=utf-8><title>Golden pictures</title><h1>With libvips {version}</h1>"
        f"<p>Below {ALIKE:g} is a failure.<table><tr><th>picture<th>SSIMULACRA2<th>now<th>was<th>change, eightfold</tr>"
        f"{''.join(row for _, row in sorted(rows))}</table>"
    )
    (folder / "index.html").write_text(page, "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments.report)
    if arguments.accept:
        accept()
