"""A short run of `make fuzz`, always the same; and the inputs by which longer ones found faults."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pixelmill.imaging import Limits, decode, plan
from pixelmill.imaging.header import inspect
from tests.fuzz import corpora
from tests.fuzz.mutate import mutated, seeds
from tests.fuzz.run import GOOD, GREY, made, run, until

#: Found by the run with this seed: a HEIC without an image, or of no pixels; and messages of libvips that hold bytes
#: of the file, which are no text: all were `internal-error`, and tried again in vain. The last two broke the decoder's
#: memory.
SEED = 20261122
FOUND = [("heic", 2464), ("heic", 5677), ("heic", 30067), ("avif", 4882), ("avif", 26248), ("avif", 36787)]
FOUND += [("heic", 6982), ("heic", 48931)]


def test_a_file_is_the_same_for_the_same_number() -> None:
    for name in seeds():
        first = [mutated(name, 1, number) for number in range(20)]
        assert first == [mutated(name, 1, number) for number in range(20)]
        assert len(set(first)) > 15


async def test_every_damaged_file_has_a_picture_or_a_code() -> None:
    tally = await run(made(7, 40 * len(seeds())), 0)
    assert tally.strange == []
    assert tally.inputs == 40 * (len(seeds()) + 1)
    assert tally.answers["jpeg, grey"].total() == tally.answers["jpeg"].total() == 40
    assert all(set(answers) <= {*GOOD, "completed", "decoder-died"} for answers in tally.answers.values())


@pytest.mark.parametrize(("name", "number"), FOUND)
async def test_what_was_found_before(name: str, number: int) -> None:
    tally = await run(iter([(name, f"{name}-{number}", mutated(name, SEED, number))]), 0)
    assert (tally.strange, tally.deaths) == ([], [])


def test_most_jpegs_are_read_as_brightness_alone_by_the_second_recipe() -> None:
    headers = [inspect(data, Limits()) for data in seeds()["jpeg"]]
    assert not GREY.facts and plan.luma_only(GREY.variants[0].steps)
    assert sum(map(decode.can_luma, headers)) >= len(headers) // 2
    assert decode.reduction(headers[0].size, plan.need(GREY.variants[0].steps, headers[0].size)) > 1


def test_it_ends_when_its_time_is_over() -> None:
    assert list(until(0, made(7, 10))) == []
    assert len(list(until(3600, made(7, 10)))) == 10


def test_what_is_a_picture_in_a_repository(tmp_path: Path) -> None:
    png = seeds()["png"][0]
    kept = {"a.png": png, "again.png": png, "named.jpg": b"no picture", "plain": seeds()["gif"][0], "x.txt": b"text"}
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *words], check=True)
    seen: set[str] = set()
    found = list(corpora.pictures("one", tmp_path, seen))
    assert found == [
        ("png", "one/a.png", png),
        ("none", "one/named.jpg", b"no picture"),
        ("gif", "one/plain", kept["plain"]),
    ]
    assert list(corpora.pictures("two", tmp_path / ".git", seen)) == []
    assert len(corpora.commit(tmp_path)) == 40
