"""The pool of decoders: one job at a time each, locked in, replaced when they end, and nothing of them left behind."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from pixelmill.errors import PixelmillError
from pixelmill.imaging import DecoderDied, Decoders, Inspected, Limits, Made, NotMade
from pixelmill.imaging.sandbox import jail
from pixelmill.imaging.sandbox.decoder import Decoder, Gone, cause
from pixelmill.recipes import Recipe, load_presets, parse_recipe
from tests import pictures
from tests.queues import until

PRESETS = load_presets()
SLOW = parse_recipe(
    {
        "facts": False,
        "variants": [
            {"name": "quick", "steps": [{"op": "resize", "width": 64}]},
            {"name": "slow", "output": {"format": "avif", "effort": 10, "quality": 90}},
        ],
    }
)


def names(recipe: Recipe) -> list[str]:
    return [variant.name for variant in recipe.variants]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(pictures.jpeg())
    return path


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    async with Decoders(1, Limits()) as pool:
        yield pool


async def test_results_come_one_by_one(decoders: Decoders, photo: Path) -> None:
    recipe = PRESETS["instagram"].recipe
    with photo.open("rb") as source:
        results = [result async for result in decoders.make(source, recipe, names(recipe))]
    first, *rest = results
    assert isinstance(first, Inspected) and (first.width, first.height, first.bytes) == (640, 360, photo.stat().st_size)
    assert [result.variant for result in rest if isinstance(result, Made)] == names(recipe)
    assert decoders.pids and decoders.pids == decoders.pids


async def test_many_at_once_take_turns(photo: Path) -> None:
    async def one(pool: Decoders) -> int:
        with photo.open("rb") as source:
            return len([r async for r in pool.make(source, PRESETS["default"].recipe, ["default"])])

    async with Decoders(2) as pool:
        assert await asyncio.gather(*(one(pool) for _ in range(12))) == [2] * 12
        assert len(pool.pids) == 2


async def test_what_is_urgent_does_not_wait_for_what_is_not(photo: Path) -> None:
    started = asyncio.Event()

    async def slow(pool: Decoders) -> None:
        with photo.open("rb") as source:
            async for _ in pool.make(source, SLOW, names(SLOW)):
                started.set()

    async with Decoders(1, Limits(), urgent=1) as pool:
        busy = asyncio.create_task(slow(pool))
        await started.wait()
        waiting = asyncio.create_task(slow(pool))
        await until(lambda: len(pool.pids) == 2)
        for _ in range(2):  # the place comes back
            with photo.open("rb") as source:
                assert [r async for r in pool.make(source, PRESETS["default"].recipe, ["default"], urgent=True)]
        assert not busy.done() and not waiting.done()
        for task in (busy, waiting):
            task.cancel()
        await asyncio.gather(busy, waiting, return_exceptions=True)


async def test_a_decoder_for_what_is_urgent_is_started_when_it_is_needed(photo: Path) -> None:
    async def make(pool: Decoders, recipe: Recipe) -> None:
        with photo.open("rb") as source:
            assert [r async for r in pool.make(source, recipe, names(recipe), urgent=True)]

    async with Decoders(1, Limits(), urgent=1) as pool:
        for _ in range(2):
            await asyncio.gather(*(make(pool, PRESETS["default"].recipe) for _ in range(2)))
        assert len(pool.pids) == 1  # the one that waited was the next
        slow = asyncio.create_task(make(pool, SLOW))
        await asyncio.gather(*(make(pool, PRESETS["default"].recipe) for _ in range(2)))
        assert len(pool.pids) == 2 and not slow.done()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


async def test_a_file_that_was_deleted_meanwhile_is_still_read(decoders: Decoders, photo: Path) -> None:
    with photo.open("rb") as source:
        photo.unlink()
        results = [r async for r in decoders.make(source, PRESETS["default"].recipe, ["default"])]
    assert isinstance(results[-1], Made)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "empty-file"), (b"nothing", "unsupported-format"), (pictures.png_header(60_000, 60_000), "too-many-pixels")],
)
async def test_bad_files_have_codes_and_the_process_lives_on(
    decoders: Decoders, photo: Path, tmp_path: Path, data: bytes, code: str
) -> None:
    before = decoders.pids
    bad = tmp_path / "bad"
    bad.write_bytes(data)
    with bad.open("rb") as source, pytest.raises(PixelmillError) as error:
        async for _ in decoders.make(source, PRESETS["default"].recipe, ["default"]):
            pass
    assert error.value.code == code and not isinstance(error.value, DecoderDied)
    with photo.open("rb") as source:
        assert [r async for r in decoders.make(source, PRESETS["default"].recipe, ["default"])]
    assert decoders.pids == before


async def test_a_process_that_is_killed_costs_its_job_and_nothing_else(decoders: Decoders, photo: Path) -> None:
    before = decoders.pids
    with photo.open("rb") as source, pytest.raises(DecoderDied) as error:
        async for result in decoders.make(source, SLOW, names(SLOW)):
            if isinstance(result, Made):
                os.kill(before[0], signal.SIGSEGV)
    assert error.value.signal == signal.SIGSEGV
    assert error.value.code == "decoder-died"
    with photo.open("rb") as source:
        assert [r async for r in decoders.make(source, PRESETS["default"].recipe, ["default"])]
    assert decoders.pids != before and len(decoders.pids) == 1


async def test_one_that_died_while_idle_is_replaced(decoders: Decoders, photo: Path) -> None:
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGKILL)
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    for _ in range(2):
        with photo.open("rb") as source:
            try:
                assert [r async for r in decoders.make(source, PRESETS["default"].recipe, ["default"])]
            except DecoderDied:
                continue  # the death was noticed only now
    assert decoders.pids != [pid]


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13])
async def test_who_gives_up_while_a_process_is_replaced_takes_no_place_with_him(
    decoders: Decoders, photo: Path, steps: int
) -> None:
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGKILL)

    async def work() -> list[object]:
        with photo.open("rb") as source:
            return [r async for r in decoders.make(source, PRESETS["default"].recipe, ["default"])]

    task = asyncio.create_task(work())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60):
        while True:
            try:
                assert await work()
                break
            except DecoderDied:
                continue  # the death was noticed only now


async def test_past_its_deadline_it_is_ended(photo: Path) -> None:
    """Encoders do not look at a flag: only the end of the process stops them."""
    big = photo.with_name("big.jpg")
    big.write_bytes((pictures.PHOTOS / "field.jpg").read_bytes())
    done = []
    async with Decoders(1, Limits(seconds=1.5)) as pool:
        (pid,) = pool.pids
        with big.open("rb") as source, pytest.raises(DecoderDied) as error:
            async for result in pool.make(source, SLOW, names(SLOW)):
                done += [result]
        assert error.value.code == "timeout" and error.value.signal == signal.SIGKILL
        assert not error.value.spec.permanent
        assert [r.variant for r in done if isinstance(r, Made)] == ["quick"]
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_one_that_spins_ends_itself(photo: Path) -> None:
    """By SIGXCPU, should its parent be stopped and see no deadline pass; a parent that wakes up takes it for that."""
    big = photo.with_name("big.jpg")
    big.write_bytes((pictures.PHOTOS / "field.jpg").read_bytes())
    child = await Decoder.start(Limits().memory_bytes, 0)
    with big.open("rb") as source:
        limits = asdict(Limits(seconds=0.1))
        await child.send({"recipe": SLOW.text, "variants": names(SLOW), "limits": limits}, source.fileno())

    async def heard() -> None:
        with suppress(Gone):
            while True:
                await child.receive()

    hearing = asyncio.create_task(heard())
    process = psutil.Process(child.process.pid)
    try:
        while not (await asyncio.wait({hearing}, timeout=0.1))[0]:
            assert process.cpu_times().user < 15
        await child.process.wait()
    finally:
        hearing.cancel()
        status = await child.kill()
    died = cause(status)
    assert (died.signal, died.code) == (signal.SIGXCPU, "timeout")


async def test_who_stops_listening_ends_the_work(decoders: Decoders, photo: Path) -> None:
    (pid,) = decoders.pids
    with photo.open("rb") as source:
        async with aclosing(decoders.make(source, SLOW, names(SLOW))) as results:
            async for result in results:
                if isinstance(result, Made):
                    break
    async with asyncio.timeout(10):
        while pid in decoders.pids:
            await asyncio.sleep(0.01)


async def test_a_cancelled_task_ends_the_work(decoders: Decoders, photo: Path) -> None:
    (pid,) = decoders.pids
    started = asyncio.Event()

    async def work() -> None:
        with photo.open("rb") as source:
            async for _ in decoders.make(source, SLOW, names(SLOW)):
                started.set()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while pid in decoders.pids:
            await asyncio.sleep(0.01)


async def test_processes_are_replaced_after_so_many_jobs(photo: Path) -> None:
    async with Decoders(1, recycle_jobs=2) as pool:
        seen = set(pool.pids)
        for _ in range(5):
            with photo.open("rb") as source:
                assert [r async for r in pool.make(source, PRESETS["default"].recipe, ["default"])]
            seen |= set(pool.pids)
        assert len(seen) >= 2


async def test_want_of_memory_is_worth_another_try(photo: Path) -> None:
    """Too little memory for what is asked: an error or the end of the process, never a wrong result."""
    big = photo.with_name("big.jpg")
    big.write_bytes((pictures.PHOTOS / "field-16mp.jpg").read_bytes())
    recipe = parse_recipe({"variants": [{"name": "a", "output": {"format": "jxl", "lossless": True, "effort": 10}}]})
    async with Decoders(1, Limits(memory_bytes=400 * 1024 * 1024)) as pool:
        try:
            with big.open("rb") as source:
                results = [r async for r in pool.make(source, recipe, ["a"])]
        except PixelmillError as error:
            assert error.code in ("out-of-memory", "decoder-died") and not error.spec.permanent
            return
    assert isinstance(results[-1], NotMade) and results[-1].code in ("out-of-memory", "internal-error")


async def test_nothing_is_left_after_close(photo: Path) -> None:
    pool = Decoders(2)
    await pool.start()
    pids = pool.pids
    with photo.open("rb") as source:
        assert [r async for r in pool.make(source, PRESETS["default"].recipe, ["default"])]
    await pool.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_children_die_with_their_parent() -> None:
    code = """
        import asyncio, sys
        from pixelmill.imaging import Decoders
        async def main():
            pool = Decoders(2)
            await pool.start()
            print(*pool.pids, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    until = time.monotonic() + 10
    while alive := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < until, alive
        time.sleep(0.02)


@pytest.mark.parametrize("name", pictures.FORMATS_IN)
async def test_damaged_files_have_a_code_or_a_picture(decoders: Decoders, photo: Path, name: str) -> None:
    """A short, seeded form of a sweep: bytes changed, cut out, doubled. Every file ends in a result or a code."""
    chance, good = random.Random(name), pictures.sample(name)
    recipe = PRESETS["thumbnail"].recipe
    before = decoders.pids
    for _ in range(25):
        data = bytearray(good)
        for _ in range(chance.choice((1, 3, 30))):
            at = chance.randrange(len(data))
            kind = chance.choice(("change", "cut", "double"))
            if kind == "change":
                data[at] = chance.randrange(256)
            elif kind == "cut":
                del data[at : at + chance.randrange(64)]
            else:
                data[at:at] = data[at : at + chance.randrange(64)]
            data = data or bytearray(b"x")
        photo.write_bytes(data)
        try:
            with photo.open("rb") as source:
                results = [r async for r in decoders.make(source, recipe, names(recipe))]
            assert len(results) == 1 + len(recipe.variants)
        except PixelmillError as error:
            assert error.code in ("corrupt-image", "unsupported-format", "too-many-pixels", "animation-too-long"), error
    assert decoders.pids == before


ESCAPES = {
    "read a file": "open('{secret}').read()",
    "write a file": "open('/tmp/pixelmill-escape', 'w')",
    "list a folder": "__import__('os').listdir('/home') or __import__('os').listdir('{folder}')",
    "list the machine's programs": "__import__('os').listdir('/usr/bin')",
    "open a socket": "__import__('socket').socket()",
    "start a program": "__import__('subprocess').run(['/bin/true'])",
    "fork": "__import__('os').fork()",
    "signal another": "__import__('os').kill({parent}, 0)",
    "change the parent's limits": "__import__('resource').prlimit({parent}, 7)",
    "delete a file": "__import__('os').unlink('{secret}')",
    "change a file": "__import__('os').chmod('{secret}', 0)",
    "read the parent's environment": "open('/proc/{parent}/environ').read()",
}


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
@pytest.mark.parametrize("what", ESCAPES)
def test_a_decoder_may_not(what: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    action = ESCAPES[what].format(secret=secret, folder=tmp_path, parent=os.getpid())
    code = f"""
        import os
        from pixelmill.imaging.sandbox import jail
        held = jail.lock(3 << 30, os.getppid())
        import pixelmill.imaging.make
        if not {{"seccomp", "landlock"}} <= set(held):
            print("no kernel for it")
        else:
            try:
                {action}
            except OSError as error:
                print("denied")
            else:
                print("done")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    if "no kernel" in done.stdout:
        pytest.skip("this kernel has no Landlock or no seccomp")
    assert done.stdout.strip() == "denied", done.stderr
    assert secret.read_text() == "secret"


def test_it_may_read_no_programs_whatever_python_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert not any(Path("/usr/bin").is_relative_to(place) for place in jail.readable())


def test_it_has_the_fonts_that_anybody_has() -> None:
    code = """
        import hashlib, os, sys
        import pyvips
        if sys.argv[1:]:
            from pixelmill.imaging.sandbox import jail
            jail.lock(3 << 30, os.getppid())
        for family in ("serif", "sans-serif", "monospace", "Helvetica", "cursive"):
            text = f'<text y="30" font-family="{family}" font-size="24">Hamburgefonts</text>'
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="40">{text}</svg>'
            print(hashlib.sha256(pyvips.Image.new_from_buffer(svg.encode(), "").write_to_memory()).hexdigest())
    """
    run = [sys.executable, "-c", textwrap.dedent(code)]
    free, locked = (
        subprocess.run([*run, *more], capture_output=True, text=True, check=True).stdout for more in ([], ["locked"])
    )
    assert free == locked


async def test_a_decoder_knows_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    async with Decoders(1) as pool:
        environment = Path(f"/proc/{pool.pids[0]}/environ").read_bytes()
        assert b"very-secret" not in environment and b"MALLOC_ARENA_MAX=2" in environment
        status = Path(f"/proc/{pool.pids[0]}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


async def test_the_parent_s_memory_stays_flat(decoders: Decoders, photo: Path) -> None:
    """Results pass through, the source does not: 200 jobs leave the parent where it was after 20."""
    big = photo.with_name("big.jpg")
    big.write_bytes((pictures.PHOTOS / "field.jpg").read_bytes())

    async def jobs(count: int) -> int:
        for _ in range(count):
            with big.open("rb") as source:
                async for _ in decoders.make(source, PRESETS["default"].recipe, ["default"]):
                    pass
        return psutil.Process().memory_info().rss

    before = await jobs(10)
    assert await jobs(60) - before < 8 * 1024 * 1024


async def test_frames_from_a_child_are_not_believed() -> None:
    from pixelmill.imaging.sandbox import wire

    with pytest.raises(ValueError):
        wire.lengths(wire.LENGTHS.pack(wire.MOST_JSON + 1, 0))
    with pytest.raises(ValueError):
        wire.lengths(wire.LENGTHS.pack(0, wire.MOST_BYTES + 1))
    for message in ({}, {"kind": "made"}, {"kind": "system"}, {"kind": "progress", "variant": "a", "other": 1}):
        with pytest.raises(ValueError):
            wire.unpack(message, b"")


async def test_a_source_must_have_a_descriptor(decoders: Decoders) -> None:
    source: BinaryIO = io.BytesIO(b"x")
    with pytest.raises(OSError):
        async for _ in decoders.make(source, PRESETS["default"].recipe, ["default"]):
            pass
    (photo,) = (pictures.PHOTOS / "crop-progressive.jpg",)
    with photo.open("rb") as file:
        assert [r async for r in decoders.make(file, PRESETS["default"].recipe, ["default"])]


async def test_limits_of_the_job_go_before_those_of_the_pool(decoders: Decoders, photo: Path) -> None:
    limits = replace(Limits(), max_pixels=100)
    with photo.open("rb") as source, pytest.raises(PixelmillError) as error:
        async for _ in decoders.make(source, PRESETS["default"].recipe, ["default"], limits):
            pass
    assert error.value.code == "too-many-pixels"
