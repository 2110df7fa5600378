"""A worker in this process on real parts: SQLite, a folder, a private Valkey, sandboxed decoders. No HTTP."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench" / "e2e")]

import tree  # noqa: E402

from pixelmill.imaging import Decoders, Limits, Made  # noqa: E402
from pixelmill.pipeline import Intake, Millhand, Presence  # noqa: E402
from pixelmill.queue import Job, Queue  # noqa: E402
from pixelmill.recipes import Recipe, parse_recipe  # noqa: E402
from pixelmill.records import Database, batches, migrate, sqlite_url  # noqa: E402
from pixelmill.records.models import BatchStatus  # noqa: E402
from pixelmill.settings import Settings  # noqa: E402
from pixelmill.storage import LocalStorage  # noqa: E402
from tests import servers  # noqa: E402


@dataclass(frozen=True)
class Took:
    """``seconds`` from the first claim to the last end; ``cpu`` seconds of this process and its decoders."""

    images: int
    seconds: float
    cpu: float

    def told(self) -> dict[str, float]:
        return {"images/s": round(self.images / self.seconds, 2), "CPU s/image": round(self.cpu / self.images, 5)}


class Mill:
    def __init__(self, database: Database, storage: LocalStorage, queue: Queue, presence: Presence, decoders: Decoders):
        self.database = database
        self._parts: Any = (database, storage, queue)
        self._presence = presence
        self._decoders = decoders

    async def work(self, photos: Sequence[bytes], recipe: Recipe, *, reuse: bool = False) -> Took:
        """Accept each photo as a batch of its own; then measure how they are worked on."""
        settings = Settings(_env_file=None, reuse=reuse, max_file_bytes=2**30)
        intake = Intake(*self._parts, settings, presence=self._presence)
        jobs, accepted = [], []
        for number, data in enumerate(photos):
            acceptance = await intake.begin(owner="bench")
            file = await acceptance.file(f"{number}.jpg")
            await file.write(data)
            await file.close()
            accepted.append((await acceptance.commit(recipe=recipe)).batch_id)
            jobs.append(Job(file.image_id, 1))
        hand = Millhand(*self._parts, self._decoders, settings, presence=self._presence)
        gate = asyncio.Semaphore(self._decoders.size + 1)

        async def one(job: Job) -> None:
            async with gate:
                await hand(job)

        cpu, begun = self._cpu(), time.perf_counter()
        await asyncio.gather(*map(one, jobs))
        took = Took(len(jobs), time.perf_counter() - begun, self._cpu() - cpu)
        for batch_id in accepted:
            found = await batches.find(self.database, batch_id)
            if found is None or found.status is not BatchStatus.COMPLETED:
                raise SystemExit(f"a batch ended {found and found.status}")
        return took

    async def decode(self, paths: Sequence[Path], recipe: Recipe) -> Took:
        """The decoders alone, from a file to bytes in this process: what an image server without a record does."""
        todo = iter(paths)
        names = [variant.name for variant in recipe.variants]

        async def one() -> None:
            for path in todo:
                with path.open("rb") as source:
                    made = [result async for result in self._decoders.make(source, recipe, names)]
                if not isinstance(made[-1], Made):
                    raise SystemExit(f"{path.name}: {made[-1]}")

        cpu, begun = self._cpu(), time.perf_counter()
        await asyncio.gather(*(one() for _ in range(self._decoders.size)))
        return Took(len(paths), time.perf_counter() - begun, self._cpu() - cpu)

    def _cpu(self) -> float:
        return time.process_time() + tree.cpu_seconds(self._decoders.pids)


@asynccontextmanager
async def mill(folder: Path, workers: int) -> AsyncIterator[Mill]:
    settings = Settings(_env_file=None)
    database = Database(sqlite_url(folder))
    await migrate(database)
    with servers.valkey() as url:
        queue = Queue(url)
        presence = Presence(database, settings, "worker")
        await presence.enter()
        async with Decoders(workers, Limits(max_pixels=200_000_000, max_bytes=2**30)) as decoders:
            yield Mill(database, LocalStorage(folder / "files"), queue, presence, decoders)
        await queue.close()
    await database.close()


def resized(*widths: int, facts: bool = False, **output: Any) -> Recipe:
    """A JPEG of each width."""
    return parse_recipe(
        {
            "variants": [
                {
                    "name": f"v{n}",
                    "steps": [{"op": "resize", "width": width}],
                    "output": {"format": "jpeg", "quality": 80} | output,
                }
                for n, width in enumerate(widths)
            ],
            "facts": facts,
        }
    )
