"""One engine on one task, in a process of its own: ``engine.py ENGINE TASK ROUNDS FILE…`` prints one line of JSON.

Seconds of wall clock and of CPU per image, peak memory in bytes, bytes made per image. One image at a time.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("MALLOC_ARENA_MAX", "2")

sys.path.insert(0, str(Path(__file__).parent))
from recipes import TASKS


def report(images: int, wall: float, cpu: float, peak: int, size: int) -> None:
    print(json.dumps({"wall": wall / images, "cpu": cpu / images, "peak": peak, "bytes": size / images}))


def measure(files: list[str], rounds: int, make: Callable[[bytes], int]) -> None:
    data = [Path(file).read_bytes() for file in files]
    make(data[0])
    size = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for one in data:
            size += make(one)
    report(
        rounds * len(data),
        time.perf_counter() - wall,
        time.process_time() - cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        size,
    )


async def pixelmill(task: str, rounds: int, files: list[str]) -> None:
    """The whole way: from this process through the sandbox and back. Both processes' CPU is counted."""
    from pixelmill.imaging import Decoders, Made
    from pixelmill.recipes import parse_recipe

    recipe = parse_recipe(TASKS[task])
    names = [variant.name for variant in recipe.variants]
    async with Decoders(1) as decoders:

        async def make(file: str) -> int:
            size = 0
            with Path(file).open("rb") as source:
                async for result in decoders.make(source, recipe, names):
                    if isinstance(result, Made):
                        size += len(result.data)
            return size

        await make(files[0])
        pid = decoders.pids[0]
        size, wall, cpu = 0, time.perf_counter(), time.process_time() + _cpu_of(pid)
        for _ in range(rounds):
            for file in files:
                size += await make(file)
        peak = int(_status(pid, "VmHWM")) * 1024 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        spent = time.process_time() + _cpu_of(pid) - cpu
        report(rounds * len(files), time.perf_counter() - wall, spent, peak, size)


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def pyvips_task(task: str) -> Callable[[bytes], int] | None:
    """Bare libvips: each variant from the file on its own, by its fastest call."""
    import pyvips

    pyvips.cache_set_max(0)

    def thumb(data: bytes, width: int, height: int = 10_000_000, **options: Any) -> Any:
        return pyvips.Image.thumbnail_buffer(data, width, height=height, option_string="[fail_on=truncated]", **options)

    def jpeg(image: Any) -> bytes:
        data: bytes = image.jpegsave_buffer(Q=80, optimize_coding=True, keep="none")
        return data

    six = [
        lambda d: jpeg(thumb(d, 1080, 1080, crop="centre")),
        lambda d: jpeg(thumb(d, 1080, 566, crop="centre")),
        lambda d: jpeg(thumb(d, 1200, 630, crop="centre")),
        lambda d: jpeg(thumb(d, 1080).gaussblur(10)),
        lambda d: jpeg(thumb(d, 1080).colourspace("b-w")),
        lambda d: thumb(d, 256).webpsave_buffer(Q=80, keep="none"),
    ]
    makes: dict[str, list[Callable[[bytes], bytes]]] = {
        "one": [lambda d: jpeg(thumb(d, 512).colourspace("b-w"))],
        "one-colour": [lambda d: jpeg(thumb(d, 512))],
        "six": six,
        "six-facts": six,
        "jpeg": [lambda d: jpeg(thumb(d, 1080))],
        "png": [lambda d: thumb(d, 1080).pngsave_buffer(keep="none")],
        "webp": [lambda d: thumb(d, 1080).webpsave_buffer(Q=80, keep="none")],
        "avif": [lambda d: thumb(d, 1080).heifsave_buffer(Q=50, effort=2, compression="av1", keep="none")],
        "gif": [lambda d: thumb(d, 1080).gifsave_buffer(effort=4, keep="none")],
        "tiff": [lambda d: thumb(d, 1080).tiffsave_buffer(compression="deflate", predictor="horizontal", keep="none")],
    }
    if task not in makes:
        return None
    return lambda data: sum(len(make(data)) for make in makes[task])


def pillow_task(task: str) -> Callable[[bytes], int] | None:
    """Pillow with its own reduced-scale decode (``draft``), each variant from the file on its own."""
    from PIL import Image, ImageFilter, ImageOps

    def open_at(data: bytes, width: int, height: int | None, mode: str = "RGB") -> Image.Image:
        image = Image.open(io.BytesIO(data))
        full = image.size
        height = height or round(full[1] * width / full[0])
        scale = max(width / full[0], height / full[1])
        image.draft(mode, (round(full[0] * scale * 2), round(full[1] * scale * 2)))
        return ImageOps.exif_transpose(image).convert(mode)

    def wide(data: bytes, width: int = 1080, mode: str = "RGB") -> Image.Image:
        image = open_at(data, width, None, mode)
        return image.resize(
            (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS, reducing_gap=2
        )

    def cover(data: bytes, width: int, height: int) -> Image.Image:
        return ImageOps.fit(open_at(data, width, height), (width, height), Image.Resampling.LANCZOS)

    def save(image: Image.Image, format: str = "JPEG", **options: Any) -> int:
        buffer = io.BytesIO()
        image.save(buffer, format, **({"quality": 80, "optimize": True} if format == "JPEG" else options))
        return len(buffer.getvalue())

    six: list[Callable[[bytes], int]] = [
        lambda d: save(cover(d, 1080, 1080)),
        lambda d: save(cover(d, 1080, 566)),
        lambda d: save(cover(d, 1200, 630)),
        lambda d: save(wide(d).filter(ImageFilter.GaussianBlur(10))),
        lambda d: save(wide(d).convert("L")),
        lambda d: save(wide(d, 256), "WEBP", quality=80),
    ]
    makes: dict[str, list[Callable[[bytes], int]]] = {
        "one": [lambda d: save(wide(d, 512, "L"))],
        "one-colour": [lambda d: save(wide(d, 512))],
        "six": six,
        "six-facts": six,
        "jpeg": [lambda d: save(wide(d))],
        "png": [lambda d: save(wide(d), "PNG")],
        "webp": [lambda d: save(wide(d), "WEBP", quality=80)],
        "avif": [lambda d: save(wide(d), "AVIF", quality=50, speed=7, max_threads=1)],
        "gif": [lambda d: save(wide(d).quantize(256), "GIF")],
        "tiff": [lambda d: save(wide(d), "TIFF", compression="tiff_deflate")],
    }
    if task not in makes:
        return None
    return lambda data: sum(make(data) for make in makes[task])


def main() -> None:
    engine, task, rounds, files = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    if engine == "pixelmill":
        asyncio.run(pixelmill(task, rounds, files))
        return
    make = (pyvips_task if engine == "pyvips" else pillow_task)(task)
    if make is None:
        print("{}")
    else:
        measure(files, rounds, make)


if __name__ == "__main__":
    main()
