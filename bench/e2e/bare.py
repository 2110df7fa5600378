"""The limit: libvips alone in a loop on some cores, from file to file, with the same photos and recipes.

``python bench/e2e/bare.py TASK IMAGES PROCESSES FOLDER PHOTO …`` prints a line of JSON. No request, queue, record or
sandbox; six variants are made from one decode. Each process is started anew and warmed up before the clock runs.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips

QUALITY = 80


def one(photo: Path, target: Path) -> None:
    image = pyvips.Image.thumbnail(str(photo), 512, height=100_000, no_rotate=True)
    image.colourspace("b-w").jpegsave(f"{target}.jpg", Q=QUALITY, keep="none")


def six(photo: Path, target: Path) -> None:
    """As ``../shared/peer/six.json`` asks."""
    header = pyvips.Image.new_from_file(str(photo))
    factor = max(1200 / header.width, 1080 / header.height)
    base = pyvips.Image.thumbnail(str(photo), round(factor * header.width), height=100_000).copy_memory()
    for name, width, height in (("square", 1080, 1080), ("landscape", 1080, 566), ("post", 1200, 630)):
        made = base.thumbnail_image(width, height=height, crop="centre")
        made.jpegsave(f"{target}-{name}.jpg", Q=QUALITY, keep="none")
    wide = base.thumbnail_image(1080, height=100_000).copy_memory()
    wide.gaussblur(10).jpegsave(f"{target}-blur.jpg", Q=QUALITY, keep="none")
    wide.colourspace("b-w").jpegsave(f"{target}-bw.jpg", Q=QUALITY, keep="none")
    base.thumbnail_image(256, height=100_000).webpsave(f"{target}-thumb.webp", Q=QUALITY, keep="none")


def work(task: str, photos: list[Path], folder: Path, mine: range, start: Barrier) -> None:
    pyvips.cache_set_max(0)
    make = six if task == "six" else one
    make(photos[0], folder / f"warm-{os.getpid()}")
    start.wait()
    for number in mine:
        make(photos[number % len(photos)], folder / str(number))


def main(arguments: list[str]) -> None:
    task, images, processes, folder = arguments[0], int(arguments[1]), int(arguments[2]), Path(arguments[3])
    photos = [Path(name) for name in arguments[4:]]
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes + 1)
    workers = [
        context.Process(target=work, args=(task, photos, folder, range(first, images, processes), start))
        for first in range(processes)
    ]
    for worker in workers:
        worker.start()
    start.wait()
    begun, cpu = time.perf_counter(), _cpu(workers)
    for worker in workers:
        os.waitid(os.P_PID, worker.pid or 0, os.WEXITED | os.WNOWAIT)  # its CPU time can be read until it is joined
    seconds, used = time.perf_counter() - begun, _cpu(workers) - cpu
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise SystemExit(worker.exitcode)
    print(json.dumps({"images/s": images / seconds, "CPU s/image": used / images}))


def _cpu(workers: list[multiprocessing.context.SpawnProcess]) -> float:
    stats = [Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split() for worker in workers]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1:])
