"""Any interleaving of what workers, owners and the reconciler do to the record keeps what the record promises.

Workers here are careless on purpose: they hold claims for ever, report twice, and go on after they were buried. Every
image has the same bytes, so that each may borrow the results of the others, while batches and dead letters are deleted.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from pixelmill.errors import PixelmillError
from pixelmill.records import (
    Database,
    batches,
    dead_letters,
    ending,
    events,
    giving_back,
    images,
    intents,
    known,
    migrate,
    retention,
    sqlite_url,
    waiting,
    work,
)
from pixelmill.records.claims import Claim, Failure, Fenced, LostVariant, MadeVariant, Report
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.keys import By
from pixelmill.records.models import BatchStatus, Image, State
from pixelmill.records.retention import Part
from pixelmill.records.reuse import reuse

T = TypeVar("T")
VARIANTS = ("a", "b")
RECIPE = {"variants": [{"name": name, "steps": [{"op": name}]} for name in VARIANTS]}
MOST_TAKE_OVERS = 2
END = datetime.now(UTC) + timedelta(days=365)
#: Short and the same each time in `make test`; PIXELMILL_TEST_EXAMPLES=500 looks further.
EXAMPLES = int(os.environ.get("PIXELMILL_TEST_EXAMPLES", "5"))


def made(held: Claim, name: str) -> MadeVariant:
    key = f"processed/{held.batch_id}/{held.image_id}/{held.token}-{name}"
    return MadeVariant(name, key, "jpeg", "image/jpeg", 5, 4, 100, 80, 0.1, {}, held.digests.get(name))


class Machine(RuleBasedStateMachine):
    """``batch`` ids and ``claim``s in any state; the record itself says what must come of each step."""

    url: str

    batch_ids = Bundle("batch_ids")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database(self.url or sqlite_url(Path(self.folder.name)))
        self.run(migrate(self.db))
        self.mine: list[str] = []
        self.alive: set[str] = set()
        self.stored: set[str] = set()
        self.marked: set[str] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            if self.mine:
                self.nothing_is_left_when_everything_is_deleted()
        finally:
            self.run(self.db.close())
            self.runner.close()
            self.folder.cleanup()

    def nothing_is_left_when_everything_is_deleted(self) -> None:
        for batch_id in self.mine:
            self.run(ending.cancel(self.db, batch_id))
            assert self.run(retention.doom(self.db, batch_id, By()))
        self.mine = []
        self.erase()
        self.drop_loose()
        assert self.stored == set()

    # What happens

    @rule(target=batch_ids, files=st.integers(1, 3), refused=st.integers(0, 1))
    def accept(self, files: int, refused: int) -> str:
        batch_id = str(uuid.uuid4())
        bad = [NewImage(str(uuid.uuid4()), "bad", None, 9, None, None, "empty-file", "Empty.")] * refused
        good = [NewImage(str(uuid.uuid4()), "good", "key", 9, "hash", "jpeg") for _ in range(files)]
        new = NewBatch(
            batch_id, "", None, RECIPE, VARIANTS, {}, None, 0, [*bad, *good], keep_originals=None, keep_results=1.0
        )
        self.run(intents.begin(self.db, batch_id, "api"))
        assert self.run(intents.accept(self.db, new))
        self.mine.append(batch_id)
        return batch_id

    @rule(target=claims, batch_id=batch_ids, number=st.integers(0, 3), stale=st.booleans(), who=st.sampled_from("pq"))
    def claim(self, batch_id: str, number: int, stale: bool, who: str) -> Any:
        found = self.run(images.of_batch(self.db, batch_id))
        if not found:
            return multiple()  # it is deleted
        image = found[number % len(found)]
        token = str(uuid.uuid4())
        generation = image.generation - stale
        claiming = work.claim(self.db, image.id, generation, token=token, process_id=who, worker="w", engine="e")
        held = self.run(claiming)
        due = image.state is State.WAITING and not stale and image.key is not None
        assert isinstance(held, Claim) == due
        if not isinstance(held, Claim):
            return multiple()
        assert held.missing == tuple(one.name for one in image.variants if not one.state.over)
        self.alive.add(token)
        return held

    def tried(self, held: Claim, change: Coroutine[Any, Any, Any], *, ends: bool) -> None:
        """The change is taken exactly when the claim still holds."""
        try:
            self.run(change)
            assert held.token in self.alive
        except Fenced:
            assert held.token not in self.alive
        if ends:
            self.alive.discard(held.token)

    def make(self, held: Claim, names: list[str]) -> list[MadeVariant]:
        """Bytes first. Those of a try that lost its image are swept later: here they were never written."""
        found = [made(held, name) for name in names]
        if held.token in self.alive:
            self.stored |= {one.key for one in found}
        return found

    def left(self, held: Claim) -> list[str]:
        image = self.run(images.find(self.db, held.image_id))
        return [one.name for one in image.variants if not one.state.over] if image else []

    @rule(held=claims, name=st.sampled_from(VARIANTS))
    def record(self, held: Claim, name: str) -> None:
        report = Report(made=self.make(held, [name] if name in self.left(held) else []))
        self.tried(held, work.record(self.db, held, report), ends=False)

    @rule(held=claims)
    def reuse(self, held: Claim) -> None:
        """What was known at the claim may be gone, or be made by now."""
        left = self.left(held)
        found = {name: one for name, one in held.known.items() if name in left}
        self.tried(held, reuse(self.db, held, found), ends=False)

    @rule(held=claims, lost=st.booleans())
    def complete(self, held: Claim, lost: bool) -> None:
        left = self.left(held)
        report = Report(made=self.make(held, left[lost:]))
        report.lost = [LostVariant(name, "output-too-large", "Big.") for name in left[: int(lost)]]
        self.tried(held, work.complete(self.db, held, report), ends=True)

    @rule(batch_id=batch_ids)
    def work_off(self, batch_id: str) -> None:
        """As a careful worker does with all that waits: takes over what is known, and makes the rest."""
        for image in self.run(images.of_batch(self.db, batch_id)):
            if image.state is State.WAITING and image.key is not None:
                token = str(uuid.uuid4())
                held = self.run(
                    work.claim(self.db, image.id, image.generation, token=token, process_id="r", worker="w", engine="e")
                )
                assert isinstance(held, Claim)
                self.alive.add(token)
                held = self.run(reuse(self.db, held, held.known))
                self.tried(held, work.complete(self.db, held, Report(made=self.make(held, [*held.missing]))), ends=True)

    @rule(held=consumes(claims), again=st.booleans(), crashed=st.booleans())
    def fail(self, held: Claim, again: bool, crashed: bool) -> None:
        failure = Failure("timeout", "Slow.", "trace", 0.0 if again else None, crashed)
        self.tried(held, work.fail(self.db, held, failure, Report()), ends=True)

    @rule(held=claims)
    def hand_back(self, held: Claim) -> None:
        assert (self.run(giving_back.hand_back(self.db, held)) is not None) == (held.token in self.alive)
        self.alive.discard(held.token)

    @rule(held=claims)
    def release(self, held: Claim) -> None:
        self.run(giving_back.release(self.db, held.token))
        self.alive.discard(held.token)

    @rule(who=st.sampled_from("pq"))
    def bury(self, who: str) -> None:
        while self.run(giving_back.take_back(self.db, who, most=MOST_TAKE_OVERS)):
            pass
        self.alive &= {token for token in self.alive if token not in self.tokens_of(who)}

    def tokens_of(self, who: str) -> set[str]:
        found = [self.run(images.attempts(self.db, image.id)) for image in self.images()]
        return {one.token for tries in found for one in tries if one.outcome == "lost"}

    @rule(batch_id=batch_ids)
    def cancel(self, batch_id: str) -> None:
        before = self.run(batches.find(self.db, batch_id))
        if before is None:
            assert batch_id not in self.mine
            return
        after = self.run(ending.cancel(self.db, batch_id))
        assert after is (before.status if before.status.over else BatchStatus.CANCELED)
        if not before.status.over:
            for image in self.run(images.of_batch(self.db, batch_id)):
                self.alive -= {one.token for one in self.run(images.attempts(self.db, image.id))}

    @rule(batch_id=batch_ids, number=st.integers(0, 3))
    def cancel_image(self, batch_id: str, number: int) -> None:
        if not (found := self.run(images.of_batch(self.db, batch_id))) or batch_id not in self.mine:
            return
        image = found[number % len(found)]
        assert self.run(ending.cancel_image(self.db, image.id)) == batch_id
        self.alive -= {one.token for one in self.run(images.attempts(self.db, image.id))}

    @rule(batch_id=batch_ids, number=st.integers(0, 3))
    def replay(self, batch_id: str, number: int) -> None:
        if not (found := self.run(images.of_batch(self.db, batch_id))) or batch_id not in self.mine:
            return
        image = found[number % len(found)]
        may = image.state is State.FAILED and image.key is not None and batch_id not in self.marked
        try:
            generation, _ = self.run(ending.replay(self.db, image.id))
            assert may
            assert generation == image.generation + 1
        except PixelmillError as error:
            assert error.code == "conflict"
            assert not may

    @rule()
    def renew(self) -> None:
        for one in self.run(waiting.page(self.db))[:1]:
            assert self.run(waiting.renew(self.db, one.image_id, one.generation)) == one.generation + 1

    # What is deleted, in steps between which anything may happen

    @rule()
    def mark(self) -> None:
        """The time of every batch that is over is over."""
        self.marked |= {one.batch_id for one in self.run(retention.due(self.db, Part.RESULTS, END))}

    @rule(batch_id=batch_ids)
    def delete(self, batch_id: str) -> None:
        if batch_id in self.marked:
            self.delete_under(f"processed/{batch_id}/", self.run(known.lent(self.db, batch_id)))

    @rule(batch_id=batch_ids)
    def gone(self, batch_id: str) -> None:
        if batch_id in self.marked:
            self.delete(batch_id)
            assert not self.run(retention.gone(self.db, Part.RESULTS, batch_id))

    @rule(batch_id=batch_ids)
    def doom(self, batch_id: str) -> None:
        batch = self.run(batches.find(self.db, batch_id))
        doomed = self.run(retention.doom(self.db, batch_id, By()))
        assert (doomed is not None) == (batch is not None and batch.status.over)
        if doomed:
            self.mine.remove(batch_id)
            self.marked.discard(batch_id)

    @rule()
    def erase(self) -> None:
        while found := self.run(retention.doomed(self.db)):
            for one in found:
                self.delete_under(f"processed/{one.batch_id}/", self.run(known.lent(self.db, one.batch_id)))
                self.run(retention.erase(self.db, one.batch_id))

    @rule()
    def drop_loose(self) -> None:
        while found := self.run(known.loose_keys(self.db)):
            self.stored -= {one.key for one in found if not one.used}
            self.run(known.settled(self.db, [one.id for one in found]))

    @rule(batch_id=batch_ids, number=st.integers(0, 3), dies=st.booleans())
    def purge(self, batch_id: str, number: int, dies: bool) -> None:
        async def delete(image: Image, keep: frozenset[str]) -> None:
            self.delete_under(f"processed/{image.batch_id}/{image.id}/", keep)
            if dies:
                raise ConnectionError

        if found := self.run(images.of_batch(self.db, batch_id)):
            try:
                self.run(dead_letters.purge(self.db, found[number % len(found)].id, By(), delete))
            except PixelmillError as error:
                assert error.code in ("conflict", "not-found")
            except ConnectionError:
                self.purge(batch_id, number, dies=False)

    def delete_under(self, prefix: str, keep: frozenset[str]) -> None:
        self.stored -= {key for key in self.stored if key.startswith(prefix) and key not in keep}

    # What must hold

    @invariant()
    def what_can_be_had_is_stored(self) -> None:
        for image in self.images():
            if image.batch_id not in self.marked:
                for one in image.variants:
                    assert one.key is None or one.key in self.stored
                    assert one.key is None or one.state is State.COMPLETED

    def images(self) -> list[Any]:
        return [image for batch_id in self.mine for image in self.run(images.of_batch(self.db, batch_id))]

    @invariant()
    def counters_equal_the_rows_and_a_batch_is_over_when_its_images_are(self) -> None:
        for batch_id in self.mine:
            batch = self.run(batches.find(self.db, batch_id))
            assert batch
            found = self.run(images.of_batch(self.db, batch_id))
            states = Counter(image.state for image in found)
            counts = batch.counts
            assert (counts.completed, counts.failed, counts.active, counts.waiting, counts.canceled) == tuple(
                states[state] for state in (State.COMPLETED, State.FAILED, State.ACTIVE, State.WAITING, State.CANCELED)
            )
            assert batch.status.over == all(image.state.over for image in found)
            assert (batch.finished_at is not None) == batch.status.over

    @invariant()
    def an_image_is_completed_when_all_its_variants_are_and_over_only_with_them(self) -> None:
        for image in self.images():
            states = {one.state for one in image.variants}
            assert (image.state is State.COMPLETED) == (states == {State.COMPLETED})
            if image.state.over:
                assert all(state.over for state in states)

    @invariant()
    def one_try_at_most_holds_an_image_and_it_is_the_one_that_was_given_it(self) -> None:
        for image in self.images():
            tries = self.run(images.attempts(self.db, image.id))
            held = [one.token for one in tries if one.token in self.alive]
            assert len(held) == (image.state is State.ACTIVE)

    @invariant()
    def the_log_has_no_gap_and_tells_each_end(self) -> None:
        for batch_id in self.mine:
            log = self.run(events.after(self.db, batch_id, 0, limit=10_000))
            assert [event.seq for event in log] == [*range(1, len(log) + 1)]
            told = Counter(event.event for event in log)
            batch = self.run(batches.find(self.db, batch_id))
            assert batch
            ends = told["batch.completed"] + told["batch.canceled"]
            assert ends == told["batch.reopened"] + batch.status.over
            for image in self.run(images.of_batch(self.db, batch_id)):
                of = Counter(event.event for event in log if event.job_id == image.id)
                over = of["image.completed"] + of["image.failed"] + of["image.canceled"]
                assert over == of["image.replayed"] + image.state.over


@pytest.mark.parametrize("server", ["sqlite", "postgres"])
def test_machine(server: str, request: pytest.FixtureRequest) -> None:
    url = "" if server == "sqlite" else request.getfixturevalue("postgres_url")
    machine = type("Machine", (Machine,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=[*HealthCheck],
        ),
    )
