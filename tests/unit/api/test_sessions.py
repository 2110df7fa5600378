from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.api.sessions import Sessions
from pixelmill.secret import Secret

OLD, NEW = "o" * 32, "n" * 32


def sessions(*words: str, seconds: float = 60) -> Sessions:
    return Sessions(Secret(list(words)), seconds)


def test_says_what_it_was_told() -> None:
    value, started = sessions(OLD).start("key-1")
    assert sessions(OLD).read(value) == started
    assert started.vouches(started.csrf)
    assert not started.vouches("")
    assert not started.vouches("ü")


def test_two_sessions_of_a_key_have_tokens_of_their_own() -> None:
    assert sessions(OLD).start("a")[1].csrf != sessions(OLD).start("a")[1].csrf


def test_a_secret_can_be_changed_without_signing_anybody_out() -> None:
    before, _ = sessions(OLD).start("a")
    after, _ = sessions(NEW, OLD).start("a")
    assert sessions(NEW, OLD).read(before)
    assert sessions(NEW, OLD).read(after)
    assert sessions(NEW).read(after)
    assert sessions(NEW).read(before) is None
    assert sessions(OLD).read(after) is None


def test_too_old() -> None:
    value, _ = sessions(OLD).start("a")
    assert sessions(OLD, seconds=-1).read(value) is None


@given(st.text() | st.text(st.characters(codec="ascii")))
def test_nothing_else_is_a_session(value: str) -> None:
    assert sessions(OLD).read(value) is None


@given(st.data())
def test_a_changed_letter_is_no_session(data: st.DataObject) -> None:
    value, _ = sessions(OLD).start("a")
    at = data.draw(st.integers(0, len(value) - 2))
    letter = data.draw(st.sampled_from("abcABC019-_."))
    changed = value[:at] + letter + value[at + 1 :]
    assert (sessions(OLD).read(changed) is None) == (changed != value)
