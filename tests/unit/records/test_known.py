from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.records.known import digests

STEPS = [{"op": "resize", "width": 20, "fit": "cover"}]
THUMB = {"name": "thumb", "steps": STEPS, "output": {"format": "jpeg", "quality": 80}}


def of(*variants: dict[str, Any], engine: str = "e", owner: str = "me", sha256: str = "00", **more: Any) -> list[str]:
    recipe = {"variants": variants, **more}
    names = [variant["name"] for variant in variants]
    return [*digests(engine, owner=owner, sha256=sha256, recipe=recipe, names=names).values()]


def test_a_name_and_the_order_of_keys_change_nothing() -> None:
    turned = {"output": {"quality": 80, "format": "jpeg"}, "steps": STEPS, "name": "small"}
    assert of(THUMB) == of(turned)
    assert of(THUMB, turned) == of(THUMB) * 2


def test_whatever_changes_the_result_does() -> None:
    others = [
        of(THUMB),
        of(THUMB, engine="f"),
        of(THUMB, owner="you"),
        of(THUMB, sha256="01"),
        of(THUMB, facts=False),
        of(THUMB | {"steps": [STEPS[0] | {"width": 21}]}),
        of(THUMB | {"steps": [*STEPS, *STEPS]}),
        of(THUMB | {"output": {"format": "jpeg", "quality": 81}}),
    ]
    assert len({digest for [digest] in others}) == len(others)


def test_only_what_is_asked_for_is_told() -> None:
    recipe = {"variants": [THUMB, THUMB | {"name": "other"}]}
    assert [*digests("e", owner="", sha256="0", recipe=recipe, names=["other"])] == ["other"]


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_no_part_runs_into_the_next(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    """An owner cannot choose a name that makes its images look like another's."""
    first, second = (of(THUMB, engine=a, owner=b, sha256=c) for a, b, c in (one, two))
    assert (first == second) == (one == two)
