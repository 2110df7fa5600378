"""What must hold of every batch afterwards, whatever died in between, seen from outside by HTTP."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from typing import Any

import httpx
from PIL import Image

OVER = {"completed", "failed", "canceled"}


def finished(client: httpx.Client, batch_id: str, patience: float) -> dict[str, Any]:
    """The batch once it is over; AssertionError when it is not after ``patience`` seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            batch: dict[str, Any] = client.get(f"/batches/{batch_id}").raise_for_status().json()
            if batch["status"] not in ("waiting", "processing"):
                return batch
        except httpx.TransportError:
            batch = {}
        assert time.monotonic() < end, f"batch {batch_id} is not over after {patience:.0f} s: {batch}"
        time.sleep(0.1)


def log_of(client: httpx.Client, batch_id: str) -> list[dict[str, Any]]:
    """All its events; checks that the stream ends by itself and that ids have neither gap nor repeat."""
    events, ids = [], []
    with client.stream("GET", f"/batches/{batch_id}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("id:"):
                ids.append(int(line[3:]))
            elif line.startswith("data:"):
                events.append(json.loads(line[5:]))
    assert ids == [*range(1, len(ids) + 1)]
    return events


def check(client: httpx.Client, batch: dict[str, Any]) -> None:
    """Every image ended, once; counters equal the rows; each completed variant was told once and can be opened."""
    files, progress = batch["files"], batch["progress"]
    states = Counter(file["state"] for file in files)
    assert set(states) <= OVER
    assert {name: progress[name] for name in OVER} == {name: states[name] for name in OVER}
    assert (progress["active"], progress["waiting"], progress["total"]) == (0, 0, len(files))

    told = Counter((event["event"], event["jobId"], event["variant"]) for event in log_of(client, batch["batchId"]))
    assert told["batch.completed", None, None] == 1
    for file in files:
        ends = sum(told[f"image.{state}", file["jobId"], None] for state in OVER)
        assert ends == 1, f"{file['jobId']} ended {ends} times"
        for variant in file["variants"]:
            made = variant["state"] == "completed"
            assert told["variant.completed", file["jobId"], variant["name"]] == made
            if made:
                answer = client.get(variant["url"]).raise_for_status()
                assert len(answer.content) == variant["bytes"]
                with Image.open(io.BytesIO(answer.content)) as image:
                    image.load()
                    assert image.size == (variant["width"], variant["height"])
