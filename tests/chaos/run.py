"""`make chaos`: break everything at random under load, for so many minutes, then look whether anything was lost.

``python -m tests.chaos.run --on embedded --minutes 30 --faults 300 --seed 1``: raw lines go to
``tests/chaos/results/<on>-<seed>.jsonl``, the last of them the sums. Exit status 1 when a promise was not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any, TextIO

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, sqlite_url
from pixelmill.storage import connect
from tests import servers
from tests.chaos import audit
from tests.chaos.load import Load
from tests.chaos.rig import Apart, Embedded, Rig
from tests.chaos.schedule import Fault, plan
from tests.receiver import Receiver, receiving

RESULTS = Path(__file__).parent / "results"
#: Seconds for everything to end once nothing breaks any more, and again for everything to be deleted.
PATIENCE = 420.0


class Run:
    def __init__(self, rig: Rig, *, seed: int, seconds: float, faults: int, rate: float, out: TextIO) -> None:
        self._rig = rig
        self._seed = seed
        self._seconds = seconds
        self._faults = plan(seed, seconds, faults, rig.kinds)
        self._rate = rate
        self._out = out
        self._began = time.monotonic()
        #: Faults that hit something, by kind; and the load average of the machine at each.
        self._hit: Counter[str] = Counter()
        self._loads: list[float] = []

    def note(self, **line: Any) -> None:
        text = json.dumps({"at": round(time.monotonic() - self._began, 2), **line})
        self._out.write(text + "\n")
        self._out.flush()

    async def run(self) -> list[str]:
        """Break, mend, look; the promises that were not kept."""
        photos = sorted((servers.ROOT / "tests" / "data" / "photos").glob("*.jpg"))
        async with receiving() as receiver:
            told: Counter[tuple[str, str]] = Counter()
            load = Load(lambda: self._rig.url, photos, receiver.url, seed=self._seed, rate=self._rate, most=12)
            sending = asyncio.create_task(load.run())
            self._began = time.monotonic()
            await asyncio.gather(*(self._have(fault) for fault in self._faults))
            await asyncio.sleep(max(0.0, self._seconds - (time.monotonic() - self._began)))
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for one in load.sent:
                self.note(**asdict(one) | {"answers": Counter(one.answers)})
            settings = self._rig.settings()
            url = settings.database_url.get_secret_value() if settings.database_url else sqlite_url(settings.data_dir)
            db, storage = Database(url), connect(settings)
            try:
                return await self._look(db, storage, load, receiver, told)
            finally:
                await storage.close()
                await db.close()

    async def _have(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        began = time.monotonic()
        try:
            hit, what = await self._rig.have(fault)
        except Exception as error:
            hit, what = 0, f"{type(error).__name__}: {error}"
            self._rig.surprises.append(f"{fault.name}: {what}")
        self._hit[fault.name] += hit > 0
        self._loads.append(os.getloadavg()[0])
        took = round(time.monotonic() - began, 2)
        self.note(fault=fault.name, planned=fault.at, took=took, hit=hit, what=what, load=round(self._loads[-1], 1))

    async def _look(
        self, db: Database, storage: Any, load: Load, receiver: Receiver, told: Counter[tuple[str, str]]
    ) -> list[str]:
        calm = time.monotonic()
        self._rig.clock.set(0)
        broken = []
        try:
            await self._until(lambda: _none(audit.unfinished(db)), PATIENCE)
            recovered = time.monotonic() - calm
            # A message that failed twice waits for minutes by its schedule, and longer if the clock was set back.
            await self._until(lambda: _none(audit.untold(db)), 30, or_else=lambda: audit.tell_now(db))
            await self._until(lambda: _none(audit.untold(db)), PATIENCE)
        except TimeoutError:
            recovered = time.monotonic() - calm
            broken.append(f"not over after {PATIENCE:.0f} s: {await audit.unfinished(db)}, {await audit.untold(db)}")
        for call in receiver.calls:
            told[json.loads(call.body)["data"]["batchId"], call.headers["webhook-id"]] += 1
        found = await audit.check(
            db,
            storage,
            accepted={one.number: one.batch_id for one in load.sent if one.batch_id},
            sent={one.number: one.files for one in load.sent},
            told=told,
        )
        broken += found.broken
        await audit.let_time_pass(db)
        broken += await audit.emptied(db, storage, 60)
        await self._rig.stop()
        waits = sorted(one.seconds for one in load.accepted)
        self.note(
            sums={
                "seed": self._seed,
                "minutes": round(self._seconds / 60, 1),
                "when": datetime.now(UTC).date().isoformat(),
                "commit": commit(),
                "load average, mean and most": [round(mean(self._loads), 1), round(max(self._loads), 1)],
                "hit": self._hit.total(),
                "found nobody": len(self._faults) - self._hit.total(),
                "hit by kind": dict(sorted(self._hit.items())),
                "requests": len(load.sent),
                "accepted": len(load.accepted),
                "posts": sum(one.posts for one in load.sent),
                "seconds to 202, median and worst": [waits[len(waits) // 2], waits[-1]] if waits else [],
                **found.sums,
                "seconds to recover": round(recovered, 1),
                "surprises": self._rig.surprises,
                "broken": broken,
            }
        )
        return broken

    @staticmethod
    async def _until(
        holds: Callable[[], Awaitable[bool]], patience: float, or_else: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        end = time.monotonic() + patience
        while True:
            try:
                if await holds():
                    return None
            except PixelmillError:  # the server is coming back
                pass
            if time.monotonic() > end:
                if or_else is None:
                    raise TimeoutError
                return await or_else()
            await asyncio.sleep(0.5)


def commit() -> str:
    """Of the code under test; empty outside a clone."""
    git = ["git", "-C", servers.ROOT, "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()


async def _none(count: Awaitable[Any]) -> bool:
    return not await count


async def chaos(
    folder: Path, *, on: str, seed: int, seconds: float, faults: int, rate: float, disk: int, out: TextIO
) -> list[str]:
    """A run in ``folder``; ``disk`` in MiB. The promises that were not kept."""
    env = {"PIXELMILL_ALLOW_HOSTS": servers.LOOPBACK, "PIXELMILL_NICE": "0"}
    async with Embedded(folder, disk, env) if on == "embedded" else Apart(folder, seed, env) as rig:
        return await Run(rig, seed=seed, seconds=seconds, faults=faults, rate=rate, out=out).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=["embedded", "apart"], default="embedded")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rate", type=float, default=0.4, help="batches a second, of one to three photographs")
    parser.add_argument("--disk", type=int, default=1024, help="MiB of the tmpfs that fills up")
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{given.on}-{given.seed}.jsonl"
    folder = Path(tempfile.mkdtemp(prefix="pixelmill-chaos-"))
    with path.open("w") as out:
        broken = asyncio.run(
            chaos(
                folder,
                on=given.on,
                seed=given.seed,
                seconds=given.minutes * 60,
                faults=given.faults,
                rate=given.rate,
                disk=given.disk,
                out=out,
            )
        )
    print(path.read_text().splitlines()[-1])
    if broken:
        sys.exit("\n".join([*broken, f"The logs are in {folder}."]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
