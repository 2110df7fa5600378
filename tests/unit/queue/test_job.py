from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.queue.job import Foreign, Job, read

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(image_id=st.text(min_size=1), generation=st.integers(0, 2**53), retried=st.booleans())
def test_what_is_written_is_read(image_id: str, generation: int, retried: bool) -> None:
    job = Job(image_id, generation)
    again = read(job.id, "process", json.loads(json.dumps(job.data)), retried=retried)
    assert again == job
    assert isinstance(again, Job)
    assert again.retried is retried


@given(data=anything)
def test_whatever_others_add_is_foreign_or_a_whole_job(data: Any) -> None:
    match read("7", "resize", data, retried=False):
        case Foreign(job_id, kept, name):
            assert (job_id, name) == ("7", "resize")
            assert kept == (data if isinstance(data, dict) else {})
        case Job(image_id, generation):
            assert data["imageId"] == image_id
            assert data["generation"] == generation


@pytest.mark.parametrize(
    "data",
    [
        {"imageId": "a"},
        {"imageId": "", "generation": 1},
        {"imageId": 1, "generation": 1},
        {"imageId": "a", "generation": True},
        {"imageId": "a", "generation": "1"},
    ],
)
def test_half_a_job_is_foreign(data: dict[str, Any]) -> None:
    assert read("a-1", "process", data, retried=False) == Foreign("a-1", data)


def test_urgency_does_not_make_another_job() -> None:
    assert Job("a", 1, priority=5, delay=2.0) == Job("a", 1)
    assert Job("a", 1) != Job("a", 2)
    assert Job("a", 2).id == "a-2"
