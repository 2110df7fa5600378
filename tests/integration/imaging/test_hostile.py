"""Images that must do no harm, through the sandbox as the service runs it: each ends in a picture or in its code.

Memory and time stay within bounds, no decoder dies of them, and the photo beside it is made.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Inspected, Limits, Made, Result, sniff
from pixelmill.imaging.make import make
from pixelmill.recipes import FORMATS, Recipe, parse_recipe
from tests import hostile, pictures
from tests.fuzz.mutate import seeds
from tests.fuzz.run import GREY, RECIPE, RESULTS, answer_to, circumstances, peak, recipes

#: Most memory that a decoder may take for any of these, in bytes: a third of its limit.
MOST = 1024**3
#: `all`: those that take long too, and every length of every file.
ALL = os.environ.get("PIXELMILL_TEST_HOSTILE") == "all"
#: Every format, with all metadata that is ever kept.
WITH_ALL = parse_recipe(
    {"variants": [{"name": name, "output": {"format": name, "metadata": "keep"}} for name in FORMATS]}
)
#: What a file that is cut short may be.
CUT = {"empty-file", "unsupported-format", "corrupt-image"}


def note(test: str, **counted: Any) -> None:
    """What a run of all has counted: a line of ``tests/fuzz/results/hostile.jsonl``."""
    if ALL:
        with (RESULTS / "hostile.jsonl").open("a") as lines:
            lines.write(json.dumps({"test": test, **circumstances(), **counted}) + "\n")


@pytest.mark.parametrize("kind", ["BOMBS", "METADATA", "MASKED"])
async def test_each_ends_as_it_should_and_its_sibling_is_made(kind: str) -> None:
    attacks: list[hostile.Attack] = getattr(hostile, kind)
    photo, wrong, memory = pictures.jpeg(64, 36), {}, (0, "")
    ends: Counter[str] = Counter()
    slowest = (0.0, "")
    async with Decoders(2, Limits()) as pool:
        before = set(pool.pids)
        for attack in attacks:
            if attack.slow and not ALL:
                continue
            data, began = attack.make(), time.monotonic()
            (end, _), (beside, _) = await asyncio.gather(answer_to(pool, data), answer_to(pool, photo))
            if sniff(data) == "jpeg" and (grey := await answer_to(pool, data, GREY)) != (attack.end, None):
                wrong[f"{attack.name}, grey"] = grey
            slowest = max(slowest, (round(time.monotonic() - began, 2), attack.name))
            memory = max(memory, (max(map(peak, pool.pids)), attack.name), key=lambda most: most[0])
            ends[end] += 1
            if (end, beside) != (attack.end, "completed"):
                wrong[attack.name] = (end, beside)
        assert set(pool.pids) == before
    note(kind, attacks=len(attacks), ends=ends, most_memory_bytes=memory, slowest_seconds=slowest, wrong=wrong)
    assert wrong == {}
    assert memory[0] < MOST


async def test_what_is_wrong_in_a_file_fills_no_log() -> None:
    """Libraries warn of each wrong field. To a pipe, as service managers give one: files are closed to decoders."""
    data = hostile.jpeg_with((0xE1, hostile.exif_bomb(100, 5000)))
    read, write = os.pipe()
    kept = os.dup(2)
    try:
        os.dup2(write, 2)
        async with Decoders(1, Limits()) as pool:
            os.dup2(kept, 2)
            assert await answer_to(pool, data) == ("completed", None)
        os.close(write)
        with os.fdopen(read) as said:
            assert said.read() == ""
    finally:
        os.dup2(kept, 2)
        os.close(kept)


async def made(pool: Decoders, data: bytes, recipe: Recipe = RECIPE) -> bytes | str:
    """The one variant, or the code."""
    with hostile.file(data) as source:
        try:
            *_, last = [one async for one in pool.make(source, recipe, ["small"])]
        except PixelmillError as error:
            return error.code
    assert isinstance(last, Made), last
    return bytes(last.data)


@pytest.mark.parametrize("name", pictures.FORMATS_IN)
async def test_what_is_hidden_in_a_picture_does_not_come_out(name: str) -> None:
    """ZIP, PHAR, PDF, HTML or a script behind a real picture: what is served was made anew from its pixels."""
    real, wrong = pictures.sample(name), {}
    async with Decoders(1, Limits()) as pool:
        for other, payload in hostile.OTHERS.items():
            end = await made(pool, real + payload)
            if isinstance(end, str):
                if end not in CUT:
                    wrong[other] = end
            elif sniff(end) != "jpeg" or payload in end or hostile.HTML in end:
                wrong[other] = "it came out"
    assert wrong == {}


async def every(pool: Decoders | None, data: bytes) -> list[Result] | str:
    """All results of a file as each format, with all metadata that is ever kept; or the code. Without a pool in this
    process, where nothing but the libraries themselves holds them back."""
    try:
        if pool is None:
            return list(make(data, WITH_ALL, FORMATS, Limits()))
        with hostile.file(data) as source:
            return [one async for one in pool.make(source, WITH_ALL, FORMATS)]
    except PixelmillError as error:
        return error.code


@pytest.mark.parametrize("jailed", [True, False])
async def test_an_address_in_a_file_is_never_called(jailed: bool) -> None:
    """By a real listener on this machine: an address in a picture, a style, an entity, an inclusion."""
    wrong = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = "http://{}:{}".format(*listener.getsockname())
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(Decoders(1, Limits())) if jailed else None
            for name, data in hostile.calling(url).items():
                end = await every(pool, data)
                if isinstance(end, str) and end not in CUT:
                    wrong[name] = end
                with suppress(BlockingIOError):
                    listener.accept()[0].close()
                    wrong[name] = "called"
        assert wrong == {}
        with socket.create_connection(listener.getsockname()):  # that one would have been seen
            listener.accept()[0].close()


async def test_a_file_that_another_names_is_not_read_and_not_deleted(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("Nobody-may-read-this\n" * 9)
    hidden = [b"Nobody-may-read", b"Nobody-may-read".hex().encode(), base64.b64encode(b"Nobody-may-")]
    paths = (str(secret), "/etc/passwd")
    files = {f"{name}: {path}": data for path in paths for name, data in hostile.naming(path).items()}
    hidden += [line.encode() for line in Path("/etc/passwd").read_text().splitlines()[:1]]
    wrong = {}
    for name, data in files.items():
        end = await every(None, data)
        if isinstance(end, str):
            if end not in CUT:
                wrong[name] = end
            continue
        for result in end:
            if not isinstance(result, Inspected | Made):
                wrong[name] = "not made"
            elif any(text in unfolded(result) for text in hidden):
                wrong[name] = "it came out"
    assert wrong == {}
    assert secret.read_text().startswith("Nobody")


def unfolded(result: Result) -> bytes:
    """All that a result says, texts that are compressed too."""
    said = repr(result).encode()
    if not isinstance(result, Made):
        return said
    said += bytes(result.data)
    if result.format != "jxl":
        with Image.open(io.BytesIO(result.data)) as picture:
            picture.load()
            said += repr(picture.info).encode()
    return said


def lengths(name: str, data: bytes) -> Iterator[int]:
    """Where to cut: everywhere (one of a megabyte, most of it a profile, at every 65th byte), or at so many
    places, more of them in the header and at the end."""
    if ALL:
        yield from range(0, len(data), 1 + len(data) // 15_000)
        return
    draw, most = random.Random(name), len(data)
    yield from {*range(0, 24, 3), *(draw.randrange(most) for _ in range(24)), *range(most - 12, most, 2)}


@pytest.mark.parametrize("name", seeds())
async def test_a_file_cut_short_is_refused_or_has_lost_nothing(name: str) -> None:
    """A cut that is not noticed must have left every pixel of the picture."""
    wrong = {}
    ends: Counter[str] = Counter()
    async with Decoders(1, Limits(), recycle_jobs=10**9) as pool:
        before = pool.pids
        for number, data in enumerate(seeds()[name]):
            for kind, recipe in recipes(name).items():
                whole = await made(pool, data, recipe)
                for length in lengths(name, data):
                    end = await made(pool, data[:length], recipe)
                    ends[end if isinstance(end, str) else "same picture" if end == whole else "another picture"] += 1
                    if end not in CUT and end != whole:
                        wrong[f"{kind} {number}, {length} bytes"] = end if isinstance(end, str) else "another picture"
        assert pool.pids == before
    note(f"cuts of {name}", files=len(seeds()[name]), cuts=ends.total(), ends=ends, wrong=wrong)
    assert wrong == {}
