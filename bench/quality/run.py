"""``bench/quality/run.py``: how many bytes the same look costs, by format and by ``quality: auto``.

Every photo is scaled to 1080 pixels wide once. Sharp encodes it as plain JPEG at many qualities, which gives bytes by
score; each other way of encoding is then compared with the plain JPEG of the very score it reached. So a share of 60 %
means: for the same look, Sharp's JPEG has so many bytes that these are 60 % of them. SSIMULACRA2 is the score;
MS-SSIM, which no search looked at, is printed beside it, and what the plain JPEG of the same SSIMULACRA2 has of it.

    bench/quality/run.py [--photos FOLDER] [--width 1080] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import pairwise
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "imaging"))

import blazediff_ssim  # noqa: E402
import pyvips  # noqa: E402
from run import sharp_folder  # noqa: E402

from pixelmill.imaging import encode  # noqa: E402
from pixelmill.imaging.finish import finish, view  # noqa: E402
from pixelmill.imaging.header import Header  # noqa: E402
from pixelmill.imaging.quality.metric import Reference  # noqa: E402
from pixelmill.recipes import Output  # noqa: E402
from pixelmill.recipes.step import Size  # noqa: E402

CURVE = [20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95]
FIXED: list[tuple[str, str, dict[str, Any]]] = [
    ("Sharp JPEG q80", "jpeg", {"quality": 80}),
    ("Sharp mozjpeg q80", "jpeg", {"quality": 80, "mozjpeg": True}),
    ("Sharp WebP q80", "webp", {"quality": 80}),
    ("Sharp AVIF q50 (effort 4)", "avif", {"quality": 50}),
]
AUTO: list[tuple[str, dict[str, Any]]] = [
    (f"auto, {formats}, {mode}", {"format": format, "quality": "auto", "mode": mode})
    for formats, format in (("JPEG only", "jpeg"), ("any format", "auto"))
    for mode in ("fast", "balanced", "small")
]


def ms_ssim(reference: pyvips.Image, image: pyvips.Image) -> float:
    """MS-SSIM of two pictures, by blazediff."""

    def pixels(picture: pyvips.Image) -> bytes:
        picture = picture if picture.bands >= 3 else picture.colourspace("srgb")
        return bytes((picture if picture.hasalpha() else picture.addalpha()).write_to_memory())

    width, height = reference.width, reference.height
    found = blazediff_ssim.compare_rgba(pixels(reference), pixels(image), width, height, metric="ms-ssim")
    return float(found.score)


def between(points: list[tuple[float, float]], at: float) -> float:
    """A straight line through the neighbours of ``at``; the nearest end beyond them."""
    points = sorted(points)
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[0][1] if at < points[0][0] else points[-1][1]


def photo(file: Path, width: int, sharp: Path) -> list[dict[str, Any]]:
    """One row for each way to encode it."""
    image = pyvips.Image.thumbnail(str(file), width, height=10_000_000).colourspace("srgb").copy_memory()
    image.remove("icc-profile-data") if "icc-profile-data" in image.get_fields() else None
    reference, pixels = Reference(image), image.width * image.height / 1e6
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        image.pngsave(f"{folder}/picture.png", keep="none", compression=1)
        jobs = [[f"curve-{quality}", "jpeg", {"quality": quality}] for quality in CURVE]
        jobs += [[name.replace(" ", "_"), format, options] for name, format, options in FIXED]
        command = ["node", str(HERE / "sharp.mjs"), str(sharp), f"{folder}/picture.png", folder, json.dumps(jobs)]
        times = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

        def looked(name: str, data: bytes, seconds: float, format: str, **more: Any) -> dict[str, Any]:
            shown = view(data, encode.load(format))
            row = {"name": name, "bytes": len(data), "score": reference.score(shown), "ms": ms_ssim(image, shown)}
            return {**row, "seconds": seconds / pixels, "file": file.stem, "format": format, **more}

        curve = [looked("curve", Path(folder, f"curve-{quality}").read_bytes(), 0, "jpeg") for quality in CURVE]
        for name, format, _ in FIXED:
            slug = name.replace(" ", "_")
            rows.append(looked(name, Path(folder, slug).read_bytes(), times[slug], format))
    header = Header("jpeg", Size(1, 1), Size(1, 1), 1, 1, 1, False, 3, "srgb", False, False, None)
    for name, options in AUTO:
        started = time.process_time()
        made = finish(image, Output(**options), header)
        spent = time.process_time() - started
        rows.append(looked(name, made.data, spent, made.format.name, encodes=made.facts.get("encodes", 1)))
    for row in rows:
        row["share"] = row["bytes"] / exp(between([(p["score"], log(p["bytes"])) for p in curve], row["score"]))
        row["ms-jpeg"] = between([(p["score"], p["ms"]) for p in curve], row["score"])
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| encoded as | share of Sharp's plain JPEG at the same score | SSIMULACRA2: mean (lowest) | "
        "MS-SSIM (that JPEG's) | kB an image | CPU ms a megapixel | formats chosen |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name in dict.fromkeys(row["name"] for row in rows):
        these = [row for row in rows if row["name"] == name]
        share = fmean(row["share"] for row in these)
        kinds = sorted({row["format"] for row in these})
        lines.append(
            f"| {name} | {share:.1%} | {fmean(row['score'] for row in these):.1f} "
            f"({min(row['score'] for row in these):.1f}) | {fmean(row['ms'] for row in these):.4f} "
            f"({fmean(row['ms-jpeg'] for row in these):.4f}) | {fmean(row['bytes'] for row in these) / 1e3:.0f} | "
            f"{fmean(row['seconds'] for row in these) * 1e3:.0f} | {', '.join(kinds)} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    photos = os.environ.get("PIXELMILL_BENCH_PHOTOS", str(ROOT / ".." / "shared" / "photos"))
    parser.add_argument("--photos", type=Path, default=Path(photos))
    parser.add_argument("--width", type=int, default=1080)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/quality.md")
    arguments = parser.parse_args()
    files = [file for file in sorted(arguments.photos.glob("*.jpg")) if "-baseline" not in file.stem]
    sharp = sharp_folder()
    if not files or sharp is None:
        raise SystemExit("needs photos (--photos FOLDER) and Sharp (npm, or PIXELMILL_BENCH_SHARP)")
    rows: list[dict[str, Any]] = []
    for file in files:
        found = photo(file, arguments.width, sharp)
        rows += found
        print(f"# {file.stem}", file=sys.stderr)
        for row in found:
            print(f"#   {row['name']:28} {row['share']:6.1%} {row['score']:6.2f} {row['bytes']:8}", file=sys.stderr)
    lines = [f"{len(files)} photographs, {arguments.width} pixels wide, measured on {date.today()}.", "", *table(rows)]
    print("\n".join(lines))
    if arguments.write:
        page = ROOT / "docs" / "explanation" / "quality.md"
        head, _, rest = page.read_text("utf-8").partition("<!-- table -->\n")
        tail = rest.partition("<!-- end of table -->\n")[2]
        page.write_text(f"{head}<!-- table -->\n" + "\n".join(lines) + f"\n<!-- end of table -->\n{tail}", "utf-8")


if __name__ == "__main__":
    main()
