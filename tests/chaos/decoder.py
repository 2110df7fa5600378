"""One decoder that is never replaced, on photograph after photograph: does it grow?

``python -m tests.chaos.decoder --images 6000``: what it holds after each hundred images goes to
``tests/chaos/results/decoder-<date>.jsonl``, the last line the sums. In the soak every decoder is replaced after a
thousand images, and two differ by a buffer from their first minute on: so little says nothing of a megabyte an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixelmill.imaging import Decoders, Made
from pixelmill.recipes import Recipe, parse_recipe
from tests import servers
from tests.chaos.load import RECIPE
from tests.chaos.run import RESULTS
from tests.chaos.soak import MOST_GROWTH, slope, status

STEP = 100


async def samples(images: int) -> AsyncIterator[dict[str, Any]]:
    recipe = parse_recipe(RECIPE)
    names = [variant.name for variant in recipe.variants]
    photos = sorted((servers.ROOT / "tests" / "data" / "photos").glob("*.jpg"))
    began = time.monotonic()
    async with Decoders(1, recycle_jobs=images + 1) as pool:
        for number in range(images):
            await _make(pool, photos[number % len(photos)], recipe, names)
            if (number + 1) % STEP == 0:
                (pid,) = pool.pids
                yield {"images": number + 1, "at": round(time.monotonic() - began, 1), "memory": status(pid)[0]}


async def _make(pool: Decoders, photo: Path, recipe: Recipe, names: list[str]) -> None:
    with photo.open("rb") as source:
        made = [one async for one in pool.make(source, recipe, names) if isinstance(one, Made)]
    assert len(made) == len(names)


def sums(found: list[dict[str, Any]]) -> dict[str, Any]:
    half = found[len(found) // 2 :]
    return {
        "images": found[-1]["images"],
        "seconds": found[-1]["at"],
        "memory after the first tenth, bytes": found[max(0, len(found) // 10 - 1)]["memory"],
        "memory at the end, bytes": found[-1]["memory"],
        "growth over the last half, bytes an hour": round(slope([(one["at"], one["memory"]) for one in half])),
    }


async def run(images: int, out: Path) -> dict[str, Any]:
    found = []
    with out.open("w") as lines:
        async for one in samples(images):
            found.append(one)
            lines.write(json.dumps(one) + "\n")
            lines.flush()
        told = sums(found)
        lines.write(json.dumps({"sums": told}) + "\n")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6000)
    given = parser.parse_args()
    told = asyncio.run(run(given.images, RESULTS / f"decoder-{datetime.now(UTC):%Y%m%d}.jsonl"))
    print(json.dumps(told))
    growth = told["growth over the last half, bytes an hour"]
    sys.exit(f"it grows by {growth / 1e6:.1f} MB an hour" if growth > MOST_GROWTH else 0)


if __name__ == "__main__":
    main()
