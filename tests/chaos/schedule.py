"""What breaks, and when: drawn from a seed, so that a run can be had again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

#: Seconds that a fault of this kind lasts, from and to; those not named here are over at once.
LASTING = {
    # Past the lease of 10 seconds: the frozen one is taken for dead, and wakes up after that.
    "freeze-worker": (11.0, 16.0),
    "freeze-api": (11.0, 16.0),
    "freeze-decoder": (3.0, 16.0),
    "freeze-valkey": (1.0, 16.0),
    "freeze-postgres": (1.0, 16.0),
    "storage-errors": (3.0, 12.0),
    "storage-slow": (3.0, 12.0),
    "storage-cut": (3.0, 12.0),
    "disk-full": (2.0, 8.0),
}
WEIGHTS = {
    "kill-decoder": 4,
    "kill-worker": 4,
    "kill-api": 4,
    "kill-valkey": 3,
    "kill-postgres": 3,
    "kill-all": 1,
    "restart-worker": 2,
    "restart-api": 2,
    "restart-valkey": 2,
    "restart-postgres": 2,
    "freeze-worker": 2,
    "freeze-api": 2,
    "freeze-decoder": 2,
    "freeze-valkey": 2,
    "freeze-postgres": 2,
    "empty-valkey": 1,
    "disk-full": 2,
    "storage-errors": 3,
    "storage-slow": 2,
    "storage-cut": 3,
    "clock": 3,
}


@dataclass(frozen=True)
class Fault:
    """``at``: seconds from the beginning; ``lasts``: until it is mended; ``draw``: 0 to 1, to choose a victim by."""

    at: float
    name: str
    lasts: float
    draw: float


def plan(seed: int, seconds: float, faults: int, kinds: Sequence[str]) -> list[Fault]:
    """So many faults within so many seconds, at random times, each of the kinds at least once if there is room.

    Where there is none the kinds are drawn, none twice.
    """
    draw = random.Random(seed)
    names = draw.sample(kinds, min(faults, len(kinds)))
    names += draw.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=faults - len(names))
    draw.shuffle(names)
    times = sorted(draw.uniform(0, seconds) for _ in names)
    return [
        Fault(round(at, 2), name, round(draw.uniform(*LASTING.get(name, (0, 0))), 2), round(draw.random(), 4))
        for at, name in zip(times, names, strict=True)
    ]
