"""Steady load of real photographs, sent as a careful client sends them: again with the same Idempotency-Key, until
there is an answer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

#: Two variants of different formats: enough that a try may die between them.
RECIPE = {
    "variants": [
        {
            "name": "grey",
            "steps": [{"op": "resize", "width": 512}, {"op": "grayscale"}],
            "output": {"format": "jpeg", "quality": 80},
        },
        {
            "name": "small",
            "steps": [{"op": "resize", "width": 200, "height": 200, "fit": "cover"}],
            "output": {"format": "webp", "quality": 75},
        },
    ]
}
#: Out of so many files one is damaged; out of so many batches one is canceled by its owner.
DAMAGED, CANCELED = 20, 15
TRUNCATED = 5000
#: Seconds after which a client gives up.
PATIENCE = 180.0


@dataclass
class Sent:
    """A request. ``batch_id`` is None as long as no 202 came; ``seconds`` is how long that took, with ``posts``."""

    number: int
    files: int
    batch_id: str | None = None
    posts: int = 0
    seconds: float = 0.0
    canceled: bool = False
    answers: list[str] = field(default_factory=list)


class Load:
    """``rate`` in batches a second, while fewer than ``most`` are on their way; each is followed to its end."""

    def __init__(
        self,
        url: Callable[[], str],
        photos: list[Path],
        callback: str,
        *,
        seed: int,
        rate: float,
        most: int,
    ) -> None:
        self.sent: list[Sent] = []
        self._url = url
        self._photos = [path.read_bytes() for path in photos]
        self._callback = callback
        self._seed = seed
        self._gap = 1 / rate
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    @property
    def accepted(self) -> list[Sent]:
        return [one for one in self.sent if one.batch_id]

    async def run(self) -> None:
        """Until canceled; then call :meth:`finish`."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(20, connect=5)) as self._client:
            try:
                while True:
                    if len(self._tasks) < self._most:
                        self._send(len(self.sent))
                    await asyncio.sleep(self._gap)
            finally:
                self._over = True
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*self._tasks)

    def _send(self, number: int) -> None:
        draw = random.Random(f"{self._seed}-{number}")
        files = []
        for position in range(draw.randint(1, 3)):
            data = draw.choice(self._photos)
            if draw.randrange(DAMAGED) == 0:
                data = data[:TRUNCATED]
            files.append(("images", (f"{number}-{position}.jpg", data, "image/jpeg")))
        one = Sent(number, len(files), canceled=draw.randrange(CANCELED) == 0)
        self.sent.append(one)
        task = asyncio.create_task(self._one(one, files, draw.uniform(0, 3)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, one: Sent, files: list[tuple[str, tuple[str, bytes, str]]], pause: float) -> None:
        began = time.monotonic()
        fields = {
            "recipe": json.dumps(RECIPE),
            "callbackUrl": self._callback,
            "metadata": json.dumps({"number": one.number}),
        }
        headers = {"idempotency-key": f"chaos-{self._seed}-{one.number}"}
        while time.monotonic() - began < PATIENCE:
            one.posts += 1
            word = await self._ask("POST", "/process-images", files=files, data=fields, headers=headers)
            if isinstance(word, httpx.Response) and word.status_code == 202:
                one.batch_id = word.json()["batchId"]
                one.seconds = round(time.monotonic() - began, 2)
                break
            one.answers.append(str(word.status_code) if isinstance(word, httpx.Response) else word)
            await asyncio.sleep(1)
        if one.batch_id and one.canceled:
            await asyncio.sleep(pause)
            for _ in range(100):
                word = await self._ask("DELETE", f"/batches/{one.batch_id}")
                if isinstance(word, httpx.Response) and word.status_code < 500:
                    break
                await asyncio.sleep(1)
        while one.batch_id and not self._over:
            word = await self._ask("GET", f"/batches/{one.batch_id}")
            found = word.json() if isinstance(word, httpx.Response) and word.status_code == 200 else {}
            if found.get("status", "waiting") not in ("waiting", "processing"):
                break
            await asyncio.sleep(1)

    async def _ask(self, method: str, path: str, **more: object) -> httpx.Response | str:
        try:
            return await self._client.request(method, self._url() + path, **more)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            return type(error).__name__
