"""The list of guards names what there is: a guard that moved would be taken for one that no test holds."""

from __future__ import annotations

import pytest

from tests.guards import GUARDS, Guard
from tests.servers import ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.against)
def test_the_guard_and_its_test_are_where_the_list_says(guard: Guard) -> None:
    assert guard.text in (ROOT / "src" / "pixelmill" / guard.file).read_text()
    path, _, name = guard.test.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text()
