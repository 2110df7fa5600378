"""`make fuzz`: damaged files through the sandbox, as they would come from a stranger.

``python -m tests.fuzz.run --inputs 100000 --seed 1`` writes the sums to ``tests/fuzz/results/<seed>-<start>.json``.
Exit status 1 when an answer is none of our codes, or when the sandbox itself breaks. A decoder that crashes breaks no
promise (its image fails), but is told with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixelmill.errors import CODES, PixelmillError
from pixelmill.imaging import DecoderDied, Decoders, Inspected, Limits, Made, NotMade
from pixelmill.recipes import Recipe, parse_recipe
from tests import hostile
from tests.fuzz.mutate import mutated, seeds

RESULTS = Path(__file__).parent / "results"


def _recipe(side: int, *steps: dict[str, Any], facts: bool) -> Recipe:
    """One small variant: what is tested is what reads, not what writes."""
    scaled = {"op": "resize", "width": side, "height": side, "fit": "fill"}
    small = {"name": "small", "steps": [scaled, *steps], "output": {"format": "jpeg"}}
    return parse_recipe({"facts": facts, "variants": [small]})


RECIPE = _recipe(32, facts=True)
#: What lets a JPEG be read as brightness alone (``imaging/read/luma.py``), shrunk by its decoder.
GREY = _recipe(12, {"op": "grayscale"}, facts=False)
#: Seconds, far more than such a file takes: a decoder past it hangs.
DEADLINE = 20.0
MEMORY = 1024**3
#: Codes that an image may end with, whatever its bytes.
GOOD = {code for code, spec in CODES.items() if spec.status in (413, 415, 422)} | {"timeout", "out-of-memory"}


@dataclass
class Tally:
    """``answers`` by format; ``deaths``: inputs that ended a decoder, with the signal; ``strange``: broken promises."""

    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    deaths: list[dict[str, Any]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    peak: int = 0
    slowest: float = 0.0

    @property
    def inputs(self) -> int:
        return sum(sum(one.values()) for one in self.answers.values())


def recipes(format: str) -> dict[str, Recipe]:
    """What a file is sent with, by the name it is counted under: a JPEG once for each of its readers."""
    return {format: RECIPE} | ({f"{format}, grey": GREY} if format == "jpeg" else {})


async def answer_to(pool: Decoders, data: bytes, recipe: Recipe = RECIPE) -> tuple[str, int | None]:
    """``completed`` or a code, and the signal that ended the decoder if one did."""
    with hostile.file(data) as source:
        try:
            results = [one async for one in pool.make(source, recipe, ["small"])]
        except DecoderDied as error:
            return error.code, error.signal
        except PixelmillError as error:
            return error.code, None
    assert [type(one) for one in results][:1] == [Inspected], results
    last = results[-1]
    if isinstance(last, NotMade):
        return last.code, None
    assert isinstance(last, Made), last
    # What comes out is what a browser will open: it must be a picture of the size that was told.
    from PIL import Image

    with Image.open(io.BytesIO(last.data)) as picture:
        picture.load()
        assert picture.size == (last.width, last.height), picture.size
    return "completed", None


async def fuzz(inputs: Iterator[tuple[str, str, bytes]], *, pool: Decoders, tally: Tally, every: int = 0) -> None:
    """Send each of ``inputs`` (format, name, bytes); two at a time are on their way for each decoder."""

    async def send(kind: str, name: str, data: bytes, recipe: Recipe) -> None:
        began = time.monotonic()
        try:
            code, ended = await answer_to(pool, data, recipe)
        except Exception as error:
            code, ended = f"{type(error).__name__}: {error}", None
        tally.slowest = max(tally.slowest, time.monotonic() - began)
        tally.answers[kind][code] += 1
        if ended is not None:
            tally.deaths.append({"input": name, "as": kind, "code": code, "signal": ended, "bytes": len(data)})
        elif code not in GOOD | {"completed"}:
            tally.strange.append(f"{name} as {kind}: {code}")
        if every and tally.inputs % every == 0:
            tally.peak = max([tally.peak, *map(peak, pool.pids)])
            print(tally.inputs, json.dumps({key: dict(one) for key, one in tally.answers.items()}), flush=True)

    async def work() -> None:
        for format, name, data in inputs:
            for kind, recipe in recipes(format).items():
                await send(kind, name, data, recipe)

    await asyncio.gather(*(work() for _ in range(pool.size)))
    tally.peak = max([tally.peak, *map(peak, pool.pids)])


def peak(pid: int) -> int:
    """Most memory that a process ever held, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def made(seed: int, count: int, start: int = 0, formats: Sequence[str] = ()) -> Iterator[tuple[str, str, bytes]]:
    """So many damaged files, of each format in turn."""
    formats = formats or list(seeds())
    for number in range(start, start + count):
        name = formats[number % len(formats)]
        yield name, f"{name}-{seed}-{number}", mutated(name, seed, number)


def until(seconds: float, inputs: Iterator[tuple[str, str, bytes]]) -> Iterator[tuple[str, str, bytes]]:
    """As many of ``inputs`` as begin within so many seconds."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, inputs)


async def run(inputs: Iterator[tuple[str, str, bytes]], every: int, decoders: int = 2) -> Tally:
    tally = Tally()
    limits = Limits(seconds=DEADLINE, memory_bytes=MEMORY, max_bytes=64 * 1024 * 1024)
    async with Decoders(decoders, limits) as pool:
        await fuzz(inputs, pool=pool, tally=tally, every=every)
    return tally


def circumstances() -> dict[str, Any]:
    """What code ran, when, and how busy the machine is (its load average over 1, 5 and 15 minutes)."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=RESULTS.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude)results")
    return {
        "commit": git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else ""),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "load average": [round(one, 1) for one in os.getloadavg()],
    }


def sums(tally: Tally) -> dict[str, Any]:
    """A tally as it is written down."""
    return {
        "inputs": tally.inputs,
        "deadline, seconds": DEADLINE,
        "slowest, seconds": round(tally.slowest, 2),
        "limit of memory, bytes": MEMORY,
        "most memory, bytes": tally.peak,
        "answers": {key: dict(one.most_common()) for key, one in sorted(tally.answers.items())},
        "decoders ended": tally.deaths,
        "strange": tally.strange,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first, to go on with an earlier run")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--formats", type=lambda given: given.split(","), default=list(seeds()), help="jpeg,avif")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so many, whatever is left")
    parser.add_argument("--decoders", type=int, default=2)
    parser.add_argument("--name", help="name of the results; the seed and the first number")
    given = parser.parse_args()
    before, began = circumstances(), time.monotonic()
    inputs = until(given.seconds, made(given.seed, given.inputs, given.start, given.formats))
    tally = asyncio.run(run(inputs, 1000, given.decoders))
    found = {
        "seed": given.seed,
        "first": given.start,
        "formats": given.formats,
        **before,
        "load average at the end": circumstances()["load average"],
        "seconds": round(time.monotonic() - began),
        **sums(tally),
    }
    write(given.name or f"{given.seed}-{given.start}", found)
    sys.exit("\n".join(tally.strange) or 0)


def write(name: str, found: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
