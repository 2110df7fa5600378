"""Send photos over a number of connections and wait for the last batch: the same client for both services."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import client


@dataclass(frozen=True)
class Load:
    """``seconds`` from the first byte sent to the last batch over; ``latencies`` of each 202, in seconds."""

    images: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.images / self.seconds

    def latency(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def small(photos: list[Path], folder: Path) -> list[Path]:
    """The photos at a size that fits 200 kB."""
    import pyvips

    made = []
    for photo in photos:
        target = folder / photo.name
        for quality in range(85, 20, -5):
            pyvips.Image.thumbnail(str(photo), 1024).jpegsave(str(target), Q=quality, keep="none")
            if target.stat().st_size <= 200_000:
                break
        made.append(target)
    return made


def body(photos: Sequence[Path], fields: dict[str, str]) -> bytes:
    parts = [
        f'--frontier\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    ]
    for photo in photos:
        head = f'--frontier\r\nContent-Disposition: form-data; name="images"; filename="{photo.name}"\r\n'
        parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", photo.read_bytes(), b"\r\n"]
    return b"".join([*parts, b"--frontier--\r\n"])


def run(
    port: int, path: str, photos: list[Path], fields: dict[str, str], *, images: int, connections: int, each: int = 1
) -> Load:
    """``images`` of the photos, ``each`` so many to a request."""
    requests = [
        client.request("POST", path, body((photos * 2 * each)[start : start + each], fields))
        for start in range(len(photos))
    ]
    todo = (requests[number * each % len(requests)] for number in range(images // each))
    start = time.perf_counter()
    accepted = list(client.send_all(port, todo, connections))
    wait(port, [batch["statusUrl"] for _, batch in accepted])
    return Load(images // each * each, time.perf_counter() - start, [seconds for seconds, _ in accepted])


def wait(port: int, batches: Sequence[str]) -> None:
    """Ask for each batch until it is over. Raises RuntimeError for one that did not complete."""
    status = ""

    def asking() -> Iterator[bytes]:
        for batch in batches:
            yield client.request("GET", batch)
            while status in ("waiting", "processing"):
                time.sleep(0.05)
                yield client.request("GET", batch)
            if status != "completed":
                raise RuntimeError(f"{batch} ended {status}")

    for _, told in client.send_all(port, asking(), 1):
        status = told["status"]


def ask(connection: http.client.HTTPConnection, method: str, path: str, data: bytes | None = None) -> dict[str, str]:
    headers = {"Content-Type": "multipart/form-data; boundary=frontier"} if data else {}
    connection.request(method, path, data, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status not in (200, 202):
        raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
    answer: dict[str, str] = json.loads(text)
    return answer
