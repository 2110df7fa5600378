"""`make soak`: the embedded service under all the load it takes, for an hour; what grows is told and drawn.

``python -m tests.chaos.soak --minutes 60``: samples go to ``tests/chaos/results/soak-<date>.jsonl``, the last line the
sums, and the plot to ``docs/images/soak.svg``. Exit status 1 when memory, files, the database or latency grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx

from tests import servers
from tests.chaos import plot
from tests.chaos.load import RECIPE
from tests.chaos.rig import QUICKER, children
from tests.chaos.run import RESULTS

#: Bytes are kept for so many seconds after the end of a batch: long before the end, as much is deleted as is made.
KEEP = 120
GAP = 10.0
#: Bytes an hour that a process may seem to grow by, by the line through its last half.
MOST_GROWTH = 1024 * 1024
#: By so much a median may grow between the first and the last third of the last half, if the machine's load does not.
MOST_SLOWER = 1.5
#: Samples of a decoder that say what it holds: one that was there for less time has not seen all photographs yet.
SETTLED = 6
#: So many of them tell a trend.
FEW = 6
ROLES = {
    "pixelmill.cli.supervisor": "serve",
    "pixelmill api": "api",
    "pixelmill worker": "worker",
    "valkey-server": "valkey",
}


def status(pid: int) -> tuple[int, int]:
    """Bytes of memory of its own (not of a file that it maps), and open files; zeros when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        memory = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)
        return memory, len([*Path(f"/proc/{pid}/fd").iterdir()])
    except OSError:
        return 0, 0


def sample(service: servers.Service) -> dict[str, Any]:
    """Memory and files by process, sizes of what is on the disk. Of the decoders, which are replaced, that of the
    largest, and the memory of each by its number."""
    memory: dict[str, int] = {}
    files: dict[str, int] = {}
    decoders: dict[int, tuple[int, int]] = {}
    for pid, line in service.family().items():
        role = next((role for words, role in ROLES.items() if words in line), None)
        if role:
            memory[role], files[role] = status(pid)
        if role == "worker":
            decoders = {child: status(child) for child in children(pid)}
            memory["decoder"] = max((one[0] for one in decoders.values()), default=0)
            files["decoder"] = max((one[1] for one in decoders.values()), default=0)
    sizes: dict[str, int] = defaultdict(int)
    for folder, _, names in os.walk(service.data_dir):  # which forgives what is deleted meanwhile
        for path in (Path(folder, name) for name in names):
            place = path.relative_to(service.data_dir).parts[0]
            kind = "database" if place.startswith("pixelmill.db") else place
            with suppress(OSError):
                sizes[kind] += path.stat().st_size
    each = {str(pid): held for pid, (held, _) in decoders.items() if held}
    return {"memory": memory, "decoders": each, "files": files, "disk": dict(sizes)}


class Clients:
    """So many that each send a batch of two photographs, wait for its end, and send the next."""

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        photos = sorted((servers.ROOT / "tests" / "data" / "photos").glob("*.jpg"))
        self._photos = [path.read_bytes() for path in photos]
        self.answered: list[float] = []
        self.ended: list[float] = []
        self.images = 0
        self.failed = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=120) as client:
            await asyncio.gather(*(self._one(client, number) for number in range(self._count)))

    async def _one(self, client: httpx.AsyncClient, number: int) -> None:
        while True:
            began = time.monotonic()
            picked = [self._photos[(number + step) % len(self._photos)] for step in (0, 1)]
            files = [("images", (f"{step}.jpg", data, "image/jpeg")) for step, data in enumerate(picked)]
            answer = await client.post("/process-images", files=files, data={"recipe": json.dumps(RECIPE)})
            if answer.status_code != 202:
                self.failed += 1
                await asyncio.sleep(1)
                continue
            self.answered.append(time.monotonic() - began)
            path = answer.headers["location"]
            while (batch := (await client.get(path)).json())["status"] in ("waiting", "processing"):
                await asyncio.sleep(0.2)
            self.ended.append(time.monotonic() - began)
            self.images += batch["progress"]["completed"]
            self.failed += batch["progress"]["failed"]
            number += 1


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares, in units an hour; ``points`` are (seconds, value)."""
    if len(points) < 3:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope * 3600


def decoders(samples: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """For each decoder that was there long enough, the middle of its time and of what it held."""
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in samples:
        for pid, held in one["decoders"].items():
            seen[pid].append((one["at"], held))
    middles = [zip(*points, strict=True) for points in seen.values() if len(points) >= SETTLED]
    return [(statistics.median(ats), statistics.median(helds)) for ats, helds in middles]


def decoder_growth(samples: list[dict[str, Any]]) -> tuple[float, float, float]:
    """How the decoders' memory grows, in units an hour: from one to the next, or, where these are few, within each.

    With the ends of an interval that it lies in with a probability of 90 %.
    """
    points = decoders(samples)
    if len(points) >= FEW:
        return trend(points)
    pids = {pid for one in samples for pid in one["decoders"]}
    within = [[(one["at"], one["decoders"][pid]) for one in samples if pid in one["decoders"]] for pid in pids]
    most = max(map(slope, within), default=0.0)
    return most, most, most


def trend(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The middle one of the slopes between any two points, and its 90 % interval (P. K. Sen, 1968), in units an hour.

    For decoders: some hold a buffer more than others from their first minute to their last, and a line of least squares
    would tell when these happened to be.
    """
    slopes = sorted((y - b) / (x - a) * 3600 for (a, b), (x, y) in combinations(points, 2) if x != a)
    count = len(points)
    aside = round(1.645 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18))
    low, high = (len(slopes) - aside) // 2, (len(slopes) + aside) // 2
    return statistics.median(slopes), slopes[max(low, 0)], slopes[min(high, len(slopes) - 1)]


def judge(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What the last half of the samples says, and what grew (``broken``)."""
    half = [one for one in samples if one["at"] >= samples[-1]["at"] / 2]
    likely, least, most = map(round, decoder_growth(half))
    growth = {name: round(slope([(one["at"], one["memory"].get(name, 0)) for one in half])) for name in ROLES.values()}
    growth["decoder"] = likely
    # Of decoders what is not sure is no growth: there are some twenty of them in half an hour.
    sure = growth | {"decoder": least}
    broken = [
        f"memory of {name} grows by {growth[name] / 1e6:.1f} MB an hour" for name in growth if sure[name] > MOST_GROWTH
    ]
    handles = {name: round(slope([(one["at"], one["files"].get(name, 0)) for one in half]), 2) for name in growth}
    broken += [f"{name} opens {count} more files an hour" for name, count in handles.items() if count > 5]
    third = max(1, len(half) // 3)
    database = [max(one["disk"].get("database", 0) for one in part) for part in (half[:third], half[-third:])]
    if database[1] > 1.1 * database[0]:
        broken.append(f"the database grows: {database[0]} bytes, and later {database[1]}")
    answered, ended, load = (_early_and_late(half, name) for name in ("answered", "ended", "load"))
    slower = MOST_SLOWER * max(1.0, load[1] / load[0])  # other work on the machine is not ours
    for until, seconds in {"the 202": answered, "the end of a batch": ended}.items():
        if len(seconds) == 2 and seconds[1] > slower * seconds[0]:
            broken.append(f"it takes longer until {until}: {seconds[0]} s, and later {seconds[1]} s")
    return {
        "memory growth, bytes an hour": growth,
        "of the decoders, 90 % interval": [least, most],
        "files growth, an hour": handles,
        "most memory, bytes": {name: max(one["memory"].get(name, 0) for one in half) for name in growth},
        "most files": {name: max(one["files"].get(name, 0) for one in half) for name in growth},
        "database, bytes, early and late": database,
        "seconds to 202, median, early and late": answered,
        "seconds to the end, median, early and late": ended,
        "load average, early and late": load,
        "broken": broken,
    }


def _early_and_late(half: list[dict[str, Any]], name: str) -> list[float]:
    third = max(1, len(half) // 3)
    parts = [[one[name][0] for one in part if one[name]] for part in (half[:third], half[-third:])]
    return [round(statistics.median(part), 3) for part in parts if part]


def quantiles(seconds: list[float]) -> list[float]:
    """Median and 95th percentile; nothing of nothing."""
    if not seconds:
        return []
    ordered = sorted(seconds)
    return [round(ordered[int(part * (len(ordered) - 1))], 4) for part in (0.5, 0.95)]


def draw(samples: list[dict[str, Any]]) -> str:
    def by(key: str, name: str, unit: float) -> list[tuple[float, float]]:
        return [(one["at"] / 60, one[key].get(name, 0) / unit) for one in samples]

    roles = sorted(samples[-1]["memory"])
    latency = {
        f"{word}, {which}": [(one["at"] / 60, one[name][index]) for one in samples if one[name]]
        for name, word in (("answered", "202"), ("ended", "the end"))
        for index, which in ((0, "median"), (1, "95 %"))
    }
    return plot.svg(
        "minutes",
        [
            plot.Panel("Memory, MB", {role: by("memory", role, 1e6) for role in roles}),
            plot.Panel("Open files", {role: by("files", role, 1) for role in roles}),
            plot.Panel("On the disk, MB", {name: by("disk", name, 1e6) for name in ("database", "files", "queue")}),
            plot.Panel("Seconds until", latency),
        ],
    )


async def soak(folder: Path, minutes: float, clients: int, out: Path) -> dict[str, Any]:
    env = {
        **QUICKER,
        "PIXELMILL_KEEP_ORIGINALS_SECONDS": str(KEEP),
        "PIXELMILL_KEEP_RESULTS_SECONDS": str(KEEP),
        "PIXELMILL_LOG_LEVEL": "warning",
        "PIXELMILL_REUSE": "false",  # a few photographs again and again: each is to be made all the same
    }
    service = servers.start_service(folder / "data", folder / "log.txt", env, patience=180)
    try:
        samples = await _under_load(service, minutes, clients, out)
    finally:
        await asyncio.to_thread(service.stop)
    (servers.ROOT / "docs" / "images" / "soak.svg").write_text(draw(samples))
    sums: dict[str, Any] = json.loads(out.read_text().splitlines()[-1])["sums"]
    return sums


async def _under_load(service: servers.Service, minutes: float, clients: int, out: Path) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = []
    load = Clients(service.base_url, clients)
    sending = asyncio.create_task(load.run())
    began = time.monotonic()
    with out.open("w") as lines:
        while (at := time.monotonic() - began) < minutes * 60:
            await asyncio.sleep(GAP)
            if sending.done():
                sending.result()
            one = {"at": round(at + GAP, 1), **await asyncio.to_thread(sample, service), "images": load.images}
            one |= {"answered": quantiles(load.answered), "ended": quantiles(load.ended), "load": [os.getloadavg()[0]]}
            load.answered.clear()
            load.ended.clear()
            samples.append(one)
            lines.write(json.dumps(one) + "\n")
            lines.flush()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        sums = {
            "minutes": minutes,
            "when": datetime.now(UTC).date().isoformat(),
            "images": load.images,
            "failed": load.failed,
            **judge(samples),
        }
        lines.write(json.dumps({"sums": sums}) + "\n")
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=6)
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"soak-{datetime.now(UTC):%Y%m%d}.jsonl"
    with tempfile.TemporaryDirectory(prefix="pixelmill-soak-") as folder:
        sums = asyncio.run(soak(Path(folder), given.minutes, given.clients, out))
    print(json.dumps(sums))
    sys.exit("\n".join(sums["broken"]) or 0)


if __name__ == "__main__":
    main()
