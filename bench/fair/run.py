"""Does a person with one photo wait for somebody else's bulk job? Time to first result, idle and beside 10,000 images.

``python bench/fair/run.py [--photos FOLDER] [--bulk N] [--asks N] [--workers N] [--preset NAME]``

One service, of defaults. First single photos while it has nothing else to do; then ``POST /batches`` with a bulk of
10,000 images from its own storage, and single photos again while the bulk is worked on; then, with the bulk canceled,
once more without it, so that a drift of the machine shows. The time is from the first byte sent to the event that tells
of the first variant. Prints medians and their ratio; raw lines go to ``bench/results/``.
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

#: The promise: at most so many times the time that an idle service takes.
PROMISE = 2.0
PREFIX = "incoming/"


def first_result(port: int, body: bytes, preset: str) -> float:
    """Seconds from the first byte sent to the event of the first variant."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begun = time.perf_counter()
    accepted = load.ask(connection, "POST", f"/process-images?preset={preset}", body)
    connection.request("GET", f"{accepted['statusUrl']}/events")
    stream = connection.getresponse()
    while line := stream.readline():
        if line.startswith(b"data:") and json.loads(line[5:])["event"] == "variant.completed":
            took = time.perf_counter() - begun
            connection.close()
            return took
    raise RuntimeError("the photo was not made")


def asked(port: int, bodies: list[bytes], options: argparse.Namespace) -> list[float]:
    times = []
    for number in range(options.asks):
        times.append(first_result(port, bodies[number % len(bodies)], options.preset))
        time.sleep(options.pause)
    return times


def bulk(port: int, preset: str) -> str:
    """Accept the bulk; its address, once some of it is done."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    wanted = json.dumps({"sources": [{"prefix": PREFIX}], "preset": preset}).encode()
    connection.request("POST", "/batches", wanted, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    if answer.status != 202:
        raise RuntimeError(f"the bulk was answered {answer.status}: {told}")
    connection.close()
    while progress(port, told["statusUrl"])["completed"] < 10:
        time.sleep(0.2)
    address: str = told["statusUrl"]
    return address


def progress(port: int, address: str) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    told: dict[str, Any] = load.ask(connection, "GET", address)
    connection.close()
    found: dict[str, int] = told["progress"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=ROOT / "tests" / "data" / "photos")
    parser.add_argument("--bulk", type=int, default=10_000)
    parser.add_argument("--asks", type=int, default=20, help="single photos in each of the three parts")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--bulk-preset", default="web")
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))
    if not photos:
        parser.error("name a folder of JPEGs with --photos")
    bodies = [load.body([photo], {}) for photo in photos]
    lines: list[dict[str, Any]] = [
        {"cores": os.cpu_count(), "workers": options.workers, "bulk": options.bulk, "load": os.getloadavg()[0]}
    ]
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        folder = Path(at)
        incoming = folder / "data" / "files" / PREFIX
        incoming.mkdir(parents=True)
        for number, photo in enumerate(photos):
            (folder / f"{number}.jpg").write_bytes(photo.read_bytes())
        for number in range(options.bulk):
            (incoming / f"{number:05}.jpg").hardlink_to(folder / f"{number % len(photos)}.jpg")
        # Every photo is made: without this the second time would only borrow the result of the first.
        more = {"PIXELMILL_SOURCE_PREFIXES": PREFIX, "PIXELMILL_REUSE": "false"}
        with services.pixelmill(folder, options.workers, more) as running:
            first_result(running.port, bodies[0], options.preset)  # it has served before it is measured
            times = {"idle before": asked(running.port, bodies, options)}
            address = bulk(running.port, options.bulk_preset)
            before, began = progress(running.port, address)["completed"], time.perf_counter()
            times["beside the bulk"] = asked(running.port, bodies, options)
            after = progress(running.port, address)
            rate = (after["completed"] - before) / (time.perf_counter() - began)
            if not after["waiting"]:
                raise RuntimeError("the bulk was over before the end: give a larger --bulk")
            load.ask(http.client.HTTPConnection("127.0.0.1", running.port, timeout=600), "DELETE", address)
            times["idle after"] = asked(running.port, bodies, options)
    lines += [{"part": part, "seconds": [round(one, 4) for one in taken]} for part, taken in times.items()]
    idle = statistics.median(times["idle before"] + times["idle after"])
    print(f"time to first result, {options.asks} single photos a part, load at the start {lines[0]['load']:.1f}")
    for part, taken in times.items():
        p50, worst = statistics.median(taken), max(taken)
        print(f"{part:16}{1000 * p50:>8.0f} ms median{1000 * worst:>8.0f} ms worst{p50 / idle:>8.2f} of idle")
    ratio = statistics.median(times["beside the bulk"]) / idle
    lines.append({"ratio": ratio, "bulk images/s": rate, "bulk waiting": after["waiting"]})
    print(f"the bulk went on with {rate:.1f} images/s meanwhile, {after['waiting']} of it still waited")
    print(f"at most {PROMISE:g} times idle: {'yes' if ratio <= PROMISE else 'NO'} ({ratio:.2f})")
    raw.keep("fair", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
