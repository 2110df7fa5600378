"""How soon a photo is acknowledged while every worker is busy: ours and the seeds' Node stack, in turn, in one go.

``python bench/ack/run.py [--photos FOLDER] [--peer FOLDER] [--rounds N] [--posts N] [--workers N]``

Both get a backlog of large photos first, of which six variants each are to be made. Then a photo of 1 MB is posted
again and again over one connection, and the time from the first byte sent to the whole 202 is taken. The last of them
still waits when the posts are over, so the workers were busy all along. Prints p50, p99 and the highest of both, and
the ratios; raw lines go to ``bench/results/``. Absolute figures hold for an otherwise idle machine only: the load
before each run is printed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))

import load  # noqa: E402
import raw  # noqa: E402
import services  # noqa: E402

#: The promise, in milliseconds, on an otherwise idle machine.
PROMISE = 50.0
MEGABYTE = 1_000_000
PATH = "/process-images"


def of_a_megabyte(photos: list[Path], folder: Path) -> Path:
    """A real photo, saved so that it is as close below 1 MB as its quality allows."""
    import pyvips

    image = pyvips.Image.new_from_file(str(max(photos, key=lambda path: path.stat().st_size)))
    target = folder / "one-megabyte.jpg"
    for quality in range(98, 20, -2):
        data = image.jpegsave_buffer(Q=quality, keep="none")
        if len(data) <= MEGABYTE:
            break
    # Bytes after the end of the image count for the upload and are no work: a comment brings it to the size.
    pad = MEGABYTE - len(data)
    comments = b"".join(
        b"\xff\xfe" + (2 + size).to_bytes(2) + bytes(size)
        for size in [min(65_533, pad - 4 - start) for start in range(0, max(0, pad - 4), 65_537)]
        if size > 0
    )
    target.write_bytes(data[:2] + comments + data[2:])
    return target


def measure(name: str, photo: Path, photos: list[Path], options: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        folder = Path(at)
        context = (
            services.pixelmill(folder, options.workers)
            if name == "pixelmill"
            else services.peer(folder, options.workers, options.peer)
        )
        # Six variants of each photo that is in the way: a second of work or so.
        six = json.dumps(json.loads((options.peer / "six.json").read_text()))
        fields, path = ({"recipe": six}, PATH) if name == "pixelmill" else ({}, f"{PATH}?variants=six")
        with context as running:
            return _measure(running.port, photo, [load.body([one], fields) for one in photos], path, options)


def _measure(
    port: int, photo: Path, heavy: list[bytes], heavy_path: str, options: argparse.Namespace
) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    small = load.body([photo], {})
    for _ in range(5):  # both have served before they are measured
        last = load.ask(connection, "POST", PATH, small)
    for number in range(options.backlog):
        last = load.ask(connection, "POST", heavy_path, heavy[number % len(heavy)])
    while not _waits(connection, last):
        last = load.ask(connection, "POST", heavy_path, heavy[0])
    times = []
    for _ in range(options.posts):
        time.sleep(options.pause)
        begun = time.perf_counter()
        last = load.ask(connection, "POST", PATH, small)
        times.append(1000 * (time.perf_counter() - begun))
    if not _waits(connection, last):
        raise RuntimeError("the workers had nothing to do at the end: give a larger --backlog")
    ordered = sorted(times)
    return {
        "p50 ms": ordered[len(ordered) // 2],
        "p99 ms": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "max ms": ordered[-1],
    }


def _waits(connection: http.client.HTTPConnection, accepted: dict[str, Any]) -> bool:
    """Whether no worker has begun with the image of a batch that has one."""
    told: dict[str, Any] = load.ask(connection, "GET", accepted["statusUrl"])
    return bool(told["files"][0]["state"] == "waiting")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared" / "photos")
    parser.add_argument("--peer", type=Path, default=ROOT.parent / "shared" / "peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--posts", type=int, default=200, help="posts that are measured in each round")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two posts")
    parser.add_argument("--backlog", type=int, default=200, help="large photos that are queued before")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))
    if not photos or not (options.peer / "api.js").exists():
        parser.error("name a folder of JPEGs with --photos, and the peer's folder with --peer")
    header = (
        raw.about()
        | {"node": raw.said("node", "--version")}
        | {"posts": options.posts, "workers": options.workers, "backlog": options.backlog}
    )
    print(json.dumps(header))
    lines: list[dict[str, Any]] = [header]
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as folder:
        photo = of_a_megabyte(photos, Path(folder))
        for number in range(options.rounds):
            # In turn, and the other one first each time, so that a drift of the machine falls on both.
            names = ["pixelmill", "peer"][:: 1 if number % 2 == 0 else -1]
            before = os.getloadavg()[0]
            rounds.append({name: measure(name, photo, photos, options) for name in names})
            lines.append({"round": number, "load": before, **rounds[-1]})
            print(json.dumps(lines[-1]), flush=True)
    print(f"\n202 for {MEGABYTE:,} bytes while {options.workers} workers are busy, medians of {options.rounds} rounds")
    print(f"{'':8}{'pixelmill':>12}{'peer':>12}{'ratio':>9}   range")
    for row in ("p50 ms", "p99 ms", "max ms"):
        ours, theirs = ([one[name][row] for one in rounds] for name in ("pixelmill", "peer"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(
            f"{row:8}{statistics.median(ours):>12.1f}{statistics.median(theirs):>12.1f}"
            f"{statistics.median(ratios):>9.2f}   {min(ratios):.2f} to {max(ratios):.2f}, less is better"
        )
    p99 = statistics.median(one["pixelmill"]["p99 ms"] for one in rounds)
    print(f"\np99 below {PROMISE:.0f} ms: {'yes' if p99 < PROMISE else 'NO'} ({p99:.1f} ms)")
    raw.keep("ack", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
