"""Writes docs/reference/{errors,formats,steps,presets}.md from the code: ``scripts/reference.py [--check]``.

With ``--check`` nothing is written; the exit code tells whether the pages are what the code says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from pixelmill.errors import CODES  # noqa: E402
from pixelmill.imaging import encode  # noqa: E402
from pixelmill.recipes import FORMATS, Output, load_presets  # noqa: E402
from pixelmill.recipes.registry import steps  # noqa: E402

PAGES = ROOT / "docs" / "reference"
NOTE = "<!-- Made from the code by scripts/reference.py: change it there. -->\n\n"
READ_BY = {
    "jpeg": "simplejpeg (libjpeg-turbo); brightness alone, for black and white, Pillow; what is not plain libvips",
    "png": "libvips",
    "webp": "libvips, still and animated",
    "gif": "libvips, still and animated",
    "avif": "Pillow (dav1d), the still picture of an animation; what is not plain by libvips (libheif, aom)",
    "heic": "pi-heif (libheif, libde265)",
    "tiff": "libvips, the first page",
    "jxl": "imagecodecs (libjxl), the first frame",
    "svg": "libvips (librsvg), in the sandbox, with no access to anything outside the file",
}
WRITTEN_BY = {
    "jpeg": "libjpeg-turbo; a code for the picture from effort 4, mozjpeg's trellis from 7; jpegli for `auto`",
    "png": "libspng; a palette by imagequant",
    "webp": "libwebp, still and animated",
    "avif": "aom (libavif; what is more than three colours of 8 bits libheif); 10 bits for `auto`",
    "jxl": "libjxl",
    "gif": "cgif with imagequant, still and animated",
    "tiff": "libtiff; deflate, or JPEG when a quality is given",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def errors() -> str:
    rows = [
        [f"`{code.slug}`", code.title, str(code.status), "no" if code.permanent else "yes", code.advice]
        for code in CODES.values()
    ]
    return (
        "# Errors\n\n"
        "Every error has a stable code. Over HTTP it is a problem document (RFC 9457): `type` is `/problems/<code>`, "
        "`status` the number below, `detail` a sentence about this very case. A failed image or variant carries the "
        "same code. Where it says that a try may help, the service tries again by itself before it gives up.\n\n"
        + table(["code", "title", "status", "another try may help", "what to do"], rows)
        + "\n`bad-recipe` also has `pointer`, the JSON pointer (RFC 6901) of the first field that is wrong, and "
        "`errors`, all of them.\n"
    )


def kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON schema's type in words."""
    if "$ref" in field:
        return kind(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        parts = [kind(part, definitions) for part in field["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {kind(field.get('items', {}), definitions)}"
    if field.get("type") == "object":
        inner = ", ".join(f"`{name}` {kind(value, definitions)}" for name, value in field.get("properties", {}).items())
        return f"{{{inner}}}"
    bounds = [("from", field.get("minimum")), ("above", field.get("exclusiveMinimum")), ("to", field.get("maximum"))]
    words = " ".join(f"{word} {value:g}" for word, value in bounds if value is not None)
    return f"{field.get('type', 'anything')} {words}".strip()


def parameters(schema: dict[str, Any]) -> str:
    definitions, required = schema.get("$defs", {}), schema.get("required", [])
    rows = []
    for name, field in schema.get("properties", {}).items():
        if name == "op":
            continue
        default = "needed" if name in required else _default(field.get("default"))
        rows.append([f"`{name}`", kind(field, definitions), default, field.get("description", "")])
    return table(["parameter", "is", "without it", "means"], rows) if rows else "It has no parameters.\n"


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`"


def step_page() -> str:
    parts = [
        "# Steps\n\nA variant's steps are done in the order they are written. Lengths are pixels of the image at full "
        "size before a `resize`, and of the resized image after it. Images are upright before the first step. "
        "Colours are `#rgb`, `#rrggbb`, `#rrggbbaa`, `white`, `black`, `gray` or `transparent`.\n"
    ]
    for op, step in steps().items():
        parts.append(f"## {op}\n\n{' '.join((step.__doc__ or '').split())}\n\n{parameters(step.model_json_schema())}")
    return "\n".join(parts)


def format_page() -> str:
    rows = []
    for name in (*FORMATS, "heic", "svg"):
        written = encode.load(name) if name in FORMATS else None
        rows.append(
            [
                name,
                READ_BY[name],
                WRITTEN_BY.get(name, "no"),
                "" if written is None else (str(written.quality) if written.quality else "lossless"),
                "" if written is None else ("yes" if written.alpha else "no"),
                "" if written is None else ("yes" if written.animation else "no"),
            ]
        )
    return (
        "# Formats\n\nWhat a file is, its first bytes decide, never its name. `pixelmill doctor` tries each format on "
        "your machine.\n\n"
        + table(["format", "read by", "written by", "default quality", "transparency", "animation"], rows)
        + "\nColours come out as 8-bit sRGB unless `colour` is `keep`. Where a format has no "
        "transparency, the image lies on `background`. JPEG XL is read as if in sRGB: an ICC profile in it is not "
        "seen. EXIF, XMP and IPTC are dropped unless `metadata` says otherwise, and place, serial numbers, maker's "
        "notes and thumbnails even then.\n\n## Output\n\n" + parameters(Output.model_json_schema())
    )


def preset_page() -> str:
    parts = [
        "# Presets\n\nA preset is a recipe with a name, one TOML file each. Your own go in the folder that "
        '`PIXELMILL_PRESETS_DIR` names; one with the name of ours takes its place. `include = ["name"]` takes the '
        "variants of others. With `PIXELMILL_PRESETS_ONLY=true` the service takes no other recipes.\n"
    ]
    for preset in load_presets().values():
        rows = []
        for variant in preset.recipe.variants:
            done = ", ".join(
                _said(step.op, step.model_dump(mode="json", by_alias=True, exclude_defaults=True))
                for step in variant.steps
            )
            output = variant.output.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            output = {"format": variant.output.format, **output}
            rows.append([f"`{variant.name}`", done or "as it is", ", ".join(f"{k} {v}" for k, v in output.items())])
        parts.append(f"## {preset.name}\n\n{preset.description}\n\n{table(['variant', 'steps', 'output'], rows)}")
        if preset.sources:
            parts.append("Sizes from:\n\n" + "".join(f"- {source}\n" for source in preset.sources))
    return "\n".join(parts)


def _said(op: str, step: dict[str, Any]) -> str:
    if {"width", "height"} <= set(step):
        op += f" {step.pop('width')} by {step.pop('height')}"
    return " ".join([op, *(f"{name} {value}" for name, value in step.items())]).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    pages: dict[str, Callable[[], str]] = {
        "errors": errors,
        "formats": format_page,
        "steps": step_page,
        "presets": preset_page,
    }
    stale = []
    for name, make in pages.items():
        head, _, rest = make().partition("\n")
        text = f"{head}\n\n{NOTE.strip()}\n{rest}"
        path = PAGES / f"{name}.md"
        if check:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, "utf-8")
    if stale:
        raise SystemExit(f"not what the code says: {', '.join(stale)}; run scripts/reference.py")


if __name__ == "__main__":
    main()
