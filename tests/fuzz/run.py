"""`make fuzz`: damaged files through the sandbox, as they would come from a stranger.

``python -m tests.fuzz.run --inputs 100000 --seed 1`` writes the sums to ``tests/fuzz/results/<seed>.json``;
``--corpus FOLDER`` sends the files of a folder instead. Exit status 1 when an answer is none of our codes, or when
the sandbox itself breaks. A decoder that crashes breaks no promise (its image fails), but is told with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixelmill.errors import CODES, PixelmillError
from pixelmill.imaging import DecoderDied, Decoders, Inspected, Limits, Made, NotMade
from pixelmill.recipes import parse_recipe
from tests import hostile
from tests.fuzz.mutate import mutated, seeds

RESULTS = Path(__file__).parent / "results"
#: One small variant: what is tested is what reads, not what writes.
RECIPE = parse_recipe(
    {
        "variants": [
            {
                "name": "small",
                "steps": [{"op": "resize", "width": 32, "height": 32, "fit": "fill"}],
                "output": {"format": "jpeg"},
            }
        ]
    }
)
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


async def answer_to(pool: Decoders, data: bytes) -> tuple[str, int | None]:
    """``completed`` or a code, and the signal that ended the decoder if one did."""
    with hostile.file(data) as source:
        try:
            results = [one async for one in pool.make(source, RECIPE, ["small"])]
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

    async def work() -> None:
        for format, name, data in inputs:
            began = time.monotonic()
            try:
                code, ended = await answer_to(pool, data)
            except Exception as error:
                code, ended = f"{type(error).__name__}: {error}", None
            tally.slowest = max(tally.slowest, time.monotonic() - began)
            tally.answers[format][code] += 1
            if ended is not None:
                tally.deaths.append({"input": name, "code": code, "signal": ended, "bytes": len(data)})
            elif code not in GOOD | {"completed"}:
                tally.strange.append(f"{name}: {code}")
            if every and tally.inputs % every == 0:
                tally.peak = max([tally.peak, *map(peak, pool.pids)])
                print(tally.inputs, json.dumps({key: dict(one) for key, one in tally.answers.items()}), flush=True)

    await asyncio.gather(*(work() for _ in range(pool.size)))
    tally.peak = max([tally.peak, *map(peak, pool.pids)])


def peak(pid: int) -> int:
    """Most memory that a process ever held, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def made(seed: int, count: int, start: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """So many damaged files, of each format in turn."""
    formats = list(seeds())
    for number in range(start, start + count):
        name = formats[number % len(formats)]
        yield name, f"{name}-{seed}-{number}", mutated(name, seed, number)


def collected(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Every file below a folder, told apart by what its name ends in."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts):
        yield path.suffix.lower().lstrip(".") or "none", str(path.relative_to(folder)), path.read_bytes()


async def run(inputs: Iterator[tuple[str, str, bytes]], every: int) -> Tally:
    tally = Tally()
    limits = Limits(seconds=DEADLINE, memory_bytes=MEMORY, max_bytes=64 * 1024 * 1024)
    async with Decoders(2, limits) as pool:
        await fuzz(inputs, pool=pool, tally=tally, every=every)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first, to go on with an earlier run")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--name", help="name of the results; the seed or the corpus")
    given = parser.parse_args()
    inputs = collected(given.corpus) if given.corpus else made(given.seed, given.inputs, given.start)
    began = time.monotonic()
    tally = asyncio.run(run(inputs, 1000))
    sums = {
        "seed": None if given.corpus else given.seed,
        "first": given.start,
        "inputs": tally.inputs,
        "when": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.monotonic() - began),
        "deadline, seconds": DEADLINE,
        "slowest, seconds": round(tally.slowest, 2),
        "limit of memory, bytes": MEMORY,
        "most memory, bytes": tally.peak,
        "answers": {key: dict(one.most_common()) for key, one in tally.answers.items()},
        "decoders ended": tally.deaths,
        "strange": tally.strange,
    }
    RESULTS.mkdir(exist_ok=True)
    name = given.name or (given.corpus.name if given.corpus else f"{given.seed}-{given.start}")
    (RESULTS / f"{name}.json").write_text(json.dumps(sums, indent=1) + "\n")
    print(json.dumps(sums))
    sys.exit("\n".join(tally.strange) or 0)


if __name__ == "__main__":
    main()
