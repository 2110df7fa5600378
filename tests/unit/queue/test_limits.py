from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.queue.limits import Quota, Window

SECONDS = 60
#: A window's end is the end of what is left of the one before it, too.
windows = st.builds(
    lambda previous, current, left: Window(previous, left, current, left + SECONDS),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.floats(0, SECONDS, exclude_max=True),
)
quotas = st.builds(Quota, st.just("requests"), st.integers(1, 1000), st.just(SECONDS))


def later(window: Window, seconds: float) -> Window:
    """The same window ``seconds`` later, when nothing is used in between."""
    if seconds < window.current_left - SECONDS:
        left = max(window.previous_left - seconds, 0)
        return Window(window.previous, left, window.current, window.current_left - seconds)
    return Window(window.current, max(window.current_left - seconds, 0), 0, 0)


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
