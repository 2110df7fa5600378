"""The list of guards names what there is: a guard that moved would be taken for one that no test holds."""

from __future__ import annotations

import pytest

from tests.guards import GUARDS, SOURCE, Guard
from tests.servers import ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.against)
def test_the_guard_and_its_test_are_where_the_list_says(guard: Guard) -> None:
    for file, text, _ in guard.changes:
        assert text in (ROOT / SOURCE / file).read_text()
    path, _, name = guard.test.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text()


def test_no_two_have_the_same_name() -> None:
    assert len({guard.against for guard in GUARDS}) == len(GUARDS)
