"""The task of the public image-server benchmark, with thumbor in the same run: ``make bench ARGS=formats``.

``python bench/formats/run.py [--photos FOLDER] [--rounds N] [--images N] [FORMAT …]``

Fit into 512 by 512, the same format out, quality 80 (JPEG), 75 (WebP) and 65 (AVIF), two processes for each engine.
Inputs are photos at about 2K, as JPEG, PNG, WebP and AVIF. Pixelmill is measured twice: ``decoders``, its sandboxed
processes alone, from a file to bytes, as an image server works; and ``worker``, with all that makes a result that is
never lost (claim, store and sync, record), without HTTP. thumbor answers requests over two connections, files from a
folder. AVIF is encoded at speed 9 by all, as imgproxy was set in that benchmark. Results are not reused.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("scale", "e2e")]

import pyvips  # noqa: E402
import raw  # noqa: E402
import services  # noqa: E402
import tree  # noqa: E402
from mill import ROOT, Took, mill  # noqa: E402
from published import PUBLISHED  # noqa: E402

from pixelmill.recipes import Recipe, parse_recipe  # noqa: E402

THUMBOR = "7.7.7"
PROCESSES = 2
#: Quality (PNG stays lossless), and how the input is written.
FORMATS: dict[str, tuple[int | None, str, dict[str, Any]]] = {
    "jpeg": (80, ".jpg", {"Q": 90}),
    "png": (None, ".png", {}),
    "webp": (75, ".webp", {"Q": 65}),
    "avif": (65, ".avif", {"Q": 65, "effort": 0}),
}


def inputs(photos: list[Path], folder: Path, count: int) -> dict[str, list[Path]]:
    """Different parts of the photos, 2040 pixels wide like those of DIV2K, in each format."""
    found: dict[str, list[Path]] = {name: [] for name in FORMATS}
    for number, photo in zip(range(count), itertools.cycle(photos), strict=False):
        image = pyvips.Image.thumbnail(str(photo), 2040, height=10_000).colourspace("srgb").copy_memory()
        image = image.crop(0, 0, image.width, min(image.height, 1356)).rot(("d0", "d180")[number // len(photos) % 2])
        image = image.copy_memory()
        for name, (_, suffix, options) in FORMATS.items():
            path = folder / f"{number}{suffix}"
            image.write_to_file(str(path), keep="none", **options)
            found[name].append(path)
    return found


def recipe(name: str) -> Recipe:
    output: dict[str, Any] = {"format": "same"} | ({"effort": 0} if name == "avif" else {})
    if quality := FORMATS[name][0]:
        output["quality"] = quality
    steps = [{"op": "resize", "width": 512, "height": 512}]
    return parse_recipe({"variants": [{"name": "fit", "steps": steps, "output": output}], "facts": False})


def thumbor_home() -> Path:
    """thumbor's package in an environment of its own."""
    home = ROOT / ".tools" / f"thumbor-{THUMBOR}"
    if not (home / "bin" / "thumbor").exists():
        venv.create(home, with_pip=True)
        wanted = [f"thumbor=={THUMBOR}", "pillow-avif-plugin"]
        subprocess.run([home / "bin" / "pip", "install", "--quiet", *wanted], check=True)
    return home


@contextmanager
def thumbor(folder: Path, work: Path) -> Iterator[services.Running]:
    port = services.free_port()
    settings = {
        "LOADER": "thumbor.loaders.file_loader",
        "FILE_LOADER_ROOT_PATH": str(folder),
        "STORAGE": "thumbor.storages.no_storage",
        "RESULT_STORAGE": None,
        "AVIF_SPEED": 9,
        "MAX_AGE": 0,
    }
    config = work / "thumbor.conf"
    config.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    command = [str(thumbor_home() / "bin" / "thumbor"), "--port", str(port), "--ip", "127.0.0.1"]
    command += ["--processes", str(PROCESSES), "--conf", str(config), "--log-level", "error"]
    with services._process(command, work, {}) as process:
        services._until_answers(f"http://127.0.0.1:{port}/healthcheck", process)
        yield services.Running(port, [process.pid])


def ask(running: services.Running, name: str, paths: list[Path]) -> Took:
    quality = FORMATS[name][0]
    filters = f"filters:quality({quality})/" if quality else ""
    todo = iter([f"/unsafe/fit-in/512x512/{filters}{path.name}" for path in paths])
    lock, faults = threading.Lock(), []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=120)
        while True:
            with lock:
                path = next(todo, None)
            if path is None:
                return
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or answer.headers["Content-Type"] != f"image/{name}" or len(body) < 1000:
                faults.append(f"{path}: {answer.status} {answer.headers['Content-Type']} {body[:200]!r}")
                return

    cpu, begun = tree.cpu_seconds(running.roots), time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise SystemExit(faults[0])
    return Took(len(paths), time.perf_counter() - begun, tree.cpu_seconds(running.roots) - cpu)


async def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-bench-") as at:
        files, work = Path(at, "files"), Path(at, "work")
        files.mkdir()
        work.mkdir()
        paths = inputs(sorted(options.photos.glob("*.jpg")), files, options.images)
        async with mill(work, PROCESSES) as ours:
            with thumbor(files, work) as theirs:
                for name in options.formats:
                    data = [path.read_bytes() for path in paths[name]]
                    engines: dict[str, Callable[[], Awaitable[Took]]] = {
                        "decoders": lambda: ours.decode(paths[name], recipe(name)),  # noqa: B023
                        "worker": lambda: ours.work(data, recipe(name)),  # noqa: B023
                        "thumbor": lambda: asyncio.to_thread(ask, theirs, name, paths[name]),  # noqa: B023
                    }
                    await ours.work(data[:PROCESSES], recipe(name))
                    ask(theirs, name, paths[name][: 2 * PROCESSES])
                    for number in range(options.rounds):
                        # In turn, and the other way round each time, so that a drift of the machine falls on all.
                        order = [*engines][:: 1 if number % 2 == 0 else -1]
                        took = {engine: (await engines[engine]()).told() for engine in order}
                        lines.append({"format": name, "round": number} | took)
                        print(json.dumps(lines[-1]), flush=True)
    return lines


def show(lines: list[dict[str, Any]], formats: list[str]) -> None:
    print(f"\nimages/s, medians{'':17}" + "".join(f"{name:>9}" for name in formats))

    def row(title: str, values: list[float]) -> None:
        print(f"{title:34}" + "".join(f"{value:9.2f}" for value in values))

    of = {name: [line for line in lines if line["format"] == name] for name in formats}
    for engine in ("decoders", "worker", "thumbor"):
        row(f"{engine}, here", [statistics.median(one[engine]["images/s"] for one in of[name]) for name in formats])
    for engine in ("decoders", "worker"):
        for figure, sense in (("images/s", 1), ("CPU s/image", -1)):
            ratios = {
                name: statistics.median((one[engine][figure] / one["thumbor"][figure]) ** sense for one in of[name])
                for name in formats
            }
            row(f"{engine} to thumbor, by {figure}", [*ratios.values()])
    for title, values in PUBLISHED.items():
        row(title, [values[name] for name in formats])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", default=[*FORMATS], metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--photos", type=Path, default=ROOT / "tests" / "data" / "photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=60)
    options = parser.parse_args()
    if unknown := set(options.formats) - {*FORMATS}:
        parser.error(f"unknown format: {', '.join(sorted(unknown))}")
    thumbor_home()
    header = raw.about() | {"thumbor": THUMBOR, "images": options.images}
    print(json.dumps(header))
    lines = asyncio.run(measure(options))
    show(lines, options.formats)
    raw.keep("formats", [header, *lines])


if __name__ == "__main__":
    main()
