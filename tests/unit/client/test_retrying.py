"""When a request is sent again: the procedure, with answers sent in by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixelmill.client import ConnectionLost, ProblemError
from pixelmill.client.retrying import Policy, ask, problem_of
from pixelmill.client.steps import Call, Dropped, Reply, Sleep

POLICY = Policy(retries=3, jitter=lambda: 0.0)
GET = Call("GET", "/batches/1")
POST = Call("POST", "/jobs/1/retry")
ONCE = Call("POST", "/process-images", headers={"Idempotency-Key": '"k"'})


def reply(status: int, code: str = "", **headers: str) -> Reply:
    told = {"type": f"/problems/{code}", "title": "T", "detail": "D.", "status": status, "code": code, "size": 7}
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(told).encode())


def run(call: Call, *outcomes: Reply | Exception, policy: Policy = POLICY) -> tuple[Reply, list[float]]:
    """The reply in the end, and the pauses before it."""
    left, pauses = list(outcomes), []
    steps = ask(policy, call)
    step: Any = next(steps)
    try:
        while True:
            if isinstance(step, Sleep):
                pauses.append(step.seconds)
                step = steps.send(None)
                continue
            assert step is call
            outcome = left.pop(0)
            step = steps.throw(outcome) if isinstance(outcome, Exception) else steps.send(outcome)
    except StopIteration as end:
        assert not left
        return end.value, pauses


OK = Reply(200, {})


def test_what_is_refused_for_now_is_sent_again() -> None:
    assert run(POST, reply(503, "unavailable", retry_after="2"), OK) == (OK, [2.0])
    assert run(POST, reply(429, "quota-exceeded", retry_after="0"), OK) == (OK, [0.0])
    assert run(ONCE, reply(409, "idempotency-running", retry_after="1"), OK) == (OK, [1.0])
    assert run(GET, reply(503, "unavailable"), reply(503, "unavailable"), OK) == (OK, [0.125, 0.25])


@pytest.mark.parametrize("call", [GET, ONCE])
def test_a_broken_line_is_tried_again_where_that_does_no_harm(call: Call) -> None:
    assert run(call, Dropped("reset"), Dropped("reset"), OK)[0] is OK
    assert run(call, reply(502), OK)[0] is OK
    with pytest.raises(ConnectionLost):
        run(call, *[Dropped("reset")] * 4)


def test_what_may_have_been_done_is_not_done_again() -> None:
    with pytest.raises(ConnectionLost):
        run(POST, Dropped("reset"))
    with pytest.raises(ProblemError):
        run(POST, reply(502))
    assert run(POST, Dropped("refused", unsent=True), OK)[0] is OK


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_what_is_refused_for_good_is_told_at_once(status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        run(GET, reply(status, "some-code"))
    problem = caught.value
    assert (problem.type, problem.code, problem.title, problem.status, problem.detail, problem.extra) == (
        "/problems/some-code",
        "some-code",
        "T",
        status,
        "D.",
        {"size": 7},
    )


def test_a_refusal_for_long_is_handed_on() -> None:
    with pytest.raises(ProblemError) as caught:
        run(GET, reply(429, "quota-exceeded", retry_after="3600"))
    assert caught.value.retry_after == 3600


def test_an_answer_of_something_in_between() -> None:
    problem = problem_of(Reply(502, {"retry-after": "soon"}, b"<html>Bad Gateway</html>"))
    assert (problem.type, problem.code, problem.status, problem.retry_after) == ("about:blank", "http-502", 502, None)
    assert str(problem) == "http-502: Bad Gateway"


def test_retry_after_may_be_a_date() -> None:
    assert problem_of(reply(503, "x", retry_after="Sun, 06 Nov 1994 08:49:37 GMT")).retry_after == 0
