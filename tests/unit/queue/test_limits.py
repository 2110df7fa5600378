from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelmill.queue import limits
from pixelmill.queue.limits import Own, Quota, Window

SECONDS = 60
windows = st.builds(Window, st.integers(0, 1000), st.integers(0, 1000), st.floats(0, SECONDS, exclude_min=True))
quotas = st.builds(Quota, st.just("requests"), st.integers(1, 1000), st.just(SECONDS))


def later(window: Window, seconds: float) -> Window:
    """The same window ``seconds`` later, when nothing is used in between."""
    if seconds < window.left:
        return Window(window.previous, window.current, window.left - seconds)
    return Window(window.current, 0, max(window.left + SECONDS - seconds, 0))


@given(windows, quotas, st.integers(1, 1000))
def test_after_the_wait_it_fits_and_just_before_it_does_not(window: Window, quota: Quota, cost: int) -> None:
    wait = window.wait(quota, cost)
    if cost > quota.amount:
        assert math.isinf(wait)
        return
    room = quota.amount - cost
    assert later(window, wait + 1e-6).used(SECONDS) <= room + 1e-3
    if wait > 1:
        assert later(window, wait - 1).used(SECONDS) > room


@given(windows)
def test_what_was_used_fades(window: Window) -> None:
    used = [later(window, seconds).used(SECONDS) for seconds in range(0, 121, 5)]
    assert used == sorted(used, reverse=True)
    assert used[-1] == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 12)), max_size=40))
@example([(1 / 3, 4), (0, 10)])
def test_who_waits_as_told_is_let_in_and_nobody_gets_twice_the_quota(asked: list[tuple[float, int]]) -> None:
    quota, own, now = Quota("requests", 10, SECONDS), Own(), 0.0
    granted: list[tuple[float, int]] = []
    for pause, cost in asked:
        now += pause
        (standing,) = own.take("me", [(quota, cost)], now)
        assert 0 <= standing.remaining <= quota.amount
        if not standing.granted and cost <= quota.amount:
            now += standing.wait + 1e-6  # for the rounding of sums like these
            (standing,) = own.take("me", [(quota, cost)], now)
            assert standing.granted
        if standing.granted:
            granted.append((now, cost))
            assert sum(cost for at, cost in granted if at > now - SECONDS) < 2 * quota.amount


def test_windows_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MANY", 10)
    own, quota = Own(), Quota("requests", 5, SECONDS)
    for number in range(100):
        own.take(f"address:{number}", [(quota, 1)], number * 30.0)
    assert len(own._windows) <= 11
