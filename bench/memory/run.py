"""Memory of the whole service over ten thousand images, each decoded: ``make bench ARGS=memory``.

``python bench/memory/run.py [--photos FOLDER] [--images N] [--parts N]``

Photos of at most 200 kB, ten to a request over 8 connections. After each tenth part prints the proportional set size
of all its processes together, the peak in that part and what is held once it is over; raw lines go to
``bench/results/``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import load
import raw
import services
import tree

EACH, CONNECTIONS = 10, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=raw.ROOT.parent / "shared" / "photos")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--parts", type=int, default=10)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))
    if not photos:
        parser.error("name a folder of JPEGs with --photos")
    lines = [raw.about() | {"images": options.images, "each": EACH}]
    part = options.images // options.parts
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        folder = Path(at)
        photos = load.small(photos, folder)
        with services.pixelmill(folder, 2) as running:
            print(f"{'images':>8}{'images/s':>10}{'peak MB':>9}{'held MB':>9}")
            for number in range(1, options.parts + 1):
                with tree.Peak(running.roots) as peak:
                    done = load.run(
                        running.port, "/process-images", photos, {}, images=part, connections=CONNECTIONS, each=EACH
                    )
                held = tree.memory_bytes(running.roots)
                line = {"images": number * part, "images/s": done.rate, "peak": peak.bytes, "held": held}
                print(f"{number * part:8,}{done.rate:10.1f}{peak.bytes / 1e6:9.0f}{held / 1e6:9.0f}", flush=True)
                lines.append(line)
    raw.keep("memory", lines)
    print(json.dumps({"peak, last to first": round(lines[-1]["peak"] / lines[1]["peak"], 3)}))


if __name__ == "__main__":
    main()
