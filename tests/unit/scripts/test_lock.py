"""The pins belong to pyproject.toml, each with a hash, and say nothing of where they were fetched."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement

from scripts import lock

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def test_up_to_date() -> None:
    lock.main(["--check"])


def pins(group: str) -> dict[str, str]:
    text = (lock.FOLDER / f"{group}.txt").read_text()
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


@pytest.mark.parametrize("group", lock.GROUPS)
def test_every_wish_is_pinned_to_a_version_that_fits(group: str) -> None:
    pinned = pins(group)
    for wish in map(Requirement, lock.wishes(group)):
        assert wish.specifier.contains(pinned[wish.name.lower().replace("_", "-")]), wish


@pytest.mark.parametrize("group", [group for group in lock.GROUPS if group != "runtime"])
def test_no_group_pins_another_version_than_runtime(group: str) -> None:
    runtime = pins("runtime")
    assert {name: version for name, version in pins(group).items() if runtime.get(name, version) != version} == {}


@pytest.mark.parametrize("group", lock.GROUPS)
def test_every_pin_has_a_hash(group: str) -> None:
    text = (lock.FOLDER / f"{group}.txt").read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) == len(PIN.findall(text))
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
