from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pixelmill.api import schemas
from pixelmill.records.models import Event, State, Variant


def test_times_are_utc_with_milliseconds() -> None:
    at = datetime(2026, 11, 22, 6, 0, 0, 999, UTC)
    assert schemas.iso(at) == "2026-11-22T06:00:00.000Z"
    assert schemas.iso(at.replace(tzinfo=None)) == "2026-11-22T06:00:00.000Z"
    assert schemas.iso(at.astimezone(timezone(timedelta(hours=2)))) == "2026-11-22T06:00:00.000Z"


@pytest.mark.parametrize(
    ("made", "original", "saved"), [(143_000, 2_400_000, 94.0), (10, 10, 0.0), (15, 10, -50.0), (10, 0, None)]
)
def test_what_is_saved_is_told_against_the_original(made: int, original: int, saved: float | None) -> None:
    variant = Variant("image", "a", 0, State.COMPLETED, key="k", bytes=made)
    assert schemas.variant(variant, original).saved_percent == saved


def test_names_of_variants_are_safe_in_urls() -> None:
    variant = Variant("image", "a b%ü", 0, State.COMPLETED, key="k", bytes=1)
    assert schemas.variant(variant, 1).url == "/images/image/a%20b%25%C3%BC"


def test_an_unfinished_variant_has_no_url() -> None:
    out = schemas.variant(Variant("image", "a", 0, State.ACTIVE, progress=40), 1)
    assert (out.url, out.progress, out.saved_percent, out.delivered_url) == (None, 40, None, None)


def test_a_fact_cannot_hide_what_every_event_has() -> None:
    event = Event("batch", 3, "image.failed", datetime(2026, 1, 1, tzinfo=UTC), "job", None, {"jobId": "x", "why": 1})
    assert schemas.event(event) == {
        "event": "image.failed",
        "batchId": "batch",
        "jobId": "job",
        "variant": None,
        "at": "2026-01-01T00:00:00.000Z",
        "why": 1,
    }
