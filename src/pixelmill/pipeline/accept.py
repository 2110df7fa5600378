"""Chapter one: a request becomes a batch.

An intent row first; then the bytes stream to storage while they are counted, hashed and looked at; then one
transaction makes batch, images, variants and events of it; then the queue is told. What breaks off on the way leaves
nothing: the request cleans up after itself, and if its process dies the sweep does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from pixelmill.errors import CODES, PixelmillError
from pixelmill.outbound import Guard
from pixelmill.pipeline.coming import Coming, Taken
from pixelmill.pipeline.presence import Presence, new_id
from pixelmill.pipeline.receive import Receiving, clean
from pixelmill.queue import Job, Queue
from pixelmill.recipes import Recipe
from pixelmill.records import Database, intents, uploads
from pixelmill.records.models import Upload
from pixelmill.records.work import UNDERSTANDS
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    batch_id: str
    total: int


class Intake:
    """Takes requests in, for one API process."""

    def __init__(
        self, database: Database, storage: Storage, queue: Queue, settings: Settings, *, presence: Presence
    ) -> None:
        self.database = database
        self.storage = storage
        self.queue = queue
        self.settings = settings
        self.presence = presence
        self.guard = Guard.of(settings)
        self._telling: set[asyncio.Task[None]] = set()

    async def begin(self, *, owner: str = "", in_flight: int | None = None) -> Acceptance:
        """Open a request; end it with :meth:`Acceptance.commit` or :meth:`Acceptance.abandon`.

        ``in_flight``: most images of the owner that may wait or be worked on, those of this request included.
        """
        batch_id = new_id()
        await intents.begin(self.database, batch_id, self.presence.id)
        return Acceptance(self, batch_id, owner, in_flight)

    async def begin_once(self, batch_id: str) -> Acceptance | None:
        """The same for an id that is not ours alone. None: another process has begun it, or it is a batch already."""
        begun = await intents.begin_once(self.database, batch_id, self.presence.id)
        return Acceptance(self, batch_id, "") if begun else None

    def tell(self, jobs: Sequence[Job], batch_id: str) -> None:
        """Tell the queue beside the answer, which promises what the record says and need not wait for it."""
        telling = asyncio.create_task(tell(self.queue, jobs, batch_id))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait until the queue is told of all that was accepted."""
        while self._telling:
            await asyncio.wait(self._telling)


class Acceptance:
    """One request whose bytes are arriving."""

    def __init__(self, intake: Intake, batch_id: str, owner: str, in_flight: int | None = None) -> None:
        self.batch_id = batch_id
        self._intake = intake
        self._owner = owner
        self._in_flight = in_flight
        self._files: list[Receiving | Coming | Taken] = []
        self._over = False

    @property
    def total(self) -> int:
        """Files so far, refused ones too."""
        return len(self._files)

    async def file(self, name: str) -> Receiving:
        """Start the next file. ``name`` is the client's, for display only. Raises ``too-many-files``."""
        most = self._intake.settings.max_files
        if len(self._files) >= most:
            raise too_many(most)
        image_id = new_id()
        key = keys.original(self.batch_id, image_id)
        writer = await self._intake.storage.create(key)
        file = Receiving(image_id, clean(name), writer, self._intake.settings.max_file_bytes, key=key)
        self._files.append(file)
        return file

    def fetch(self, name: str, source: dict[str, Any]) -> None:
        """An image that a worker is to fetch. What the address alone shows to be wrong is kept as its error."""
        error = None
        try:
            if "url" in source:
                self._intake.guard.check(source["url"])
        except PixelmillError as refused:
            error = refused
        self._files.append(Coming(new_id(), clean(name), source, error))

    def take(self, upload: Upload, name: str | None = None) -> None:
        """An upload that is whole. It is taken with the batch, in the same transaction, or not at all."""
        self._files.append(Taken(new_id(), clean(name) if name else upload.original_name, upload))

    async def commit(
        self,
        *,
        recipe: Recipe,
        preset: str | None = None,
        metadata: dict[str, Any] | None = None,
        callback_url: str | None = None,
        priority: int = 0,
        retention: Mapping[str, float] | None = None,
        also: intents.Also | None = None,
        queued: bool = True,
    ) -> Accepted:
        """Make a batch of what has arrived; ``also`` is done in the same transaction. Not ``queued``: it is at work.

        ``retention``: seconds to keep ``originals`` and ``results`` (0: for ever); what it does not name is as set.

        Raises ``address-refused`` for a callback that may not be called; ``quota-exceeded`` or ``too-many-files`` when
        the images do not fit beside those in flight; ``no-files``; or, when every file was
        refused, the code they share, else ``nothing-acceptable``, with ``files`` in ``extra``. Nothing is left
        behind then.
        """
        settings = self._intake.settings
        kept = {"originals": settings.keep_originals_seconds, "results": settings.keep_results_seconds}
        kept |= retention or {}
        try:
            if callback_url:
                self._intake.guard.check(callback_url)
            self._refuse_if_nothing_is_left()
            accepted = await intents.accept(
                self._intake.database,
                intents.NewBatch(
                    id=self.batch_id,
                    owner=self._owner,
                    preset=preset,
                    recipe=recipe.plain,
                    variants=[variant.name for variant in recipe.variants],
                    metadata=metadata or {},
                    callback_url=callback_url,
                    priority=priority,
                    images=[file.as_image() for file in self._files],
                    keep_originals=kept["originals"] or None,
                    keep_results=kept["results"] or None,
                    in_flight=self._in_flight,
                    window=settings.batch_window,
                    needs=UNDERSTANDS,
                ),
                also=self._taking(also),
            )
            if accepted is None:
                raise PixelmillError("unavailable", "The request took so long that it was given up; send it again.")
        except BaseException:
            await self.abandon()
            raise
        self._over = True
        jobs = [Job(one.image_id, one.generation, one.priority) for one in accepted if queued]
        self._intake.tell(jobs, self.batch_id)
        return Accepted(self.batch_id, len(self._files))

    def _taking(self, also: intents.Also | None) -> intents.Also | None:
        """Takes the uploads, and does ``also``."""
        wanted = sorted(file.upload.id for file in self._files if isinstance(file, Taken))
        if not wanted:
            return also

        async def within(tx: Any) -> None:
            for upload_id in wanted:
                await uploads.take(tx, upload_id, self.batch_id)
            if also is not None:
                await also(tx)

        return within

    async def abandon(self) -> None:
        """Leave nothing of this request behind. May be called again, and after :meth:`commit` (then it does nothing).

        Runs to its end even when the caller is canceled. If storage or records do not answer, the intent stays, and
        the sweep does this later.
        """
        if not self._over:
            self._over = True
            await asyncio.shield(asyncio.ensure_future(self._clean_up()))

    async def _clean_up(self) -> None:
        for file in self._files:
            if isinstance(file, Receiving):
                with contextlib.suppress(OSError):
                    await file.discard()
        try:
            if not await intents.give_up(self._intake.database, self.batch_id):
                log.warning("request %s broke off after it had become a batch", self.batch_id)
                return
            await self._intake.storage.delete_prefix(keys.originals(self.batch_id))
            await intents.forget(self._intake.database, self.batch_id)
        except (OSError, PixelmillError):
            log.warning("request %s left bytes for the sweep", self.batch_id, exc_info=True)

    def _refuse_if_nothing_is_left(self) -> None:
        if not self._files:
            raise PixelmillError("no-files")
        if all(file.error for file in self._files):
            codes = {file.error.code for file in self._files if file.error}
            files = [file.refusal() for file in self._files]
            if len(codes) == 1:
                code = codes.pop()
                detail = files[0]["detail"] if len(files) == 1 else CODES[code].advice
                raise PixelmillError(code, detail, {"files": files})
            raise PixelmillError("nothing-acceptable", extra={"files": files})


def too_many(most: int) -> PixelmillError:
    return PixelmillError("too-many-files", f"At most {most} files are taken in one request.")


async def tell(queue: Queue, jobs: Sequence[Job], batch_id: str) -> None:
    """Tell the queue, and whoever watches. If it is down, the reconciler does it when it is back."""
    if not jobs:
        queue.ring([batch_id])
        return
    try:
        await queue.add(jobs, ring=batch_id)
    except PixelmillError:
        log.warning("the queue is down; %d images of batch %s are queued when it is back", len(jobs), batch_id)
