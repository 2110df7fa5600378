"""The composition root: the only file that joins the parts, for each of the two processes that there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from pixelmill import memory, records, secret
from pixelmill.imaging import Decoders, Limits
from pixelmill.imaging.sandbox.pool import HURRY
from pixelmill.pipeline import Adopter, Backfill, Deliverer, Intake, Millhand, Presence, Reconciler, Wanted, targets
from pixelmill.queue import Done, Failed, Foreign, Job, Later, Limiter, Queue, Slots, Worker, embedded, policies
from pixelmill.recipes import load_presets
from pixelmill.records import keys
from pixelmill.settings import Settings
from pixelmill.storage import Storage, connect

if TYPE_CHECKING:
    from fastapi import FastAPI

log = structlog.stdlib.get_logger(__name__)


def database(settings: Settings) -> records.Database:
    url = settings.database_url.get_secret_value() if settings.database_url else records.sqlite_url(settings.data_dir)
    return records.Database(url)


def _has_database(settings: Settings) -> bool:
    """False: there is no file yet, and to look into it would make it."""
    return settings.database_url is not None or records.sqlite_path(settings.data_dir).exists()


async def migrate(settings: Settings) -> None:
    """Bring the database up to this version's tables; nothing when it is up to date."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    db = database(settings)
    try:
        await records.migrate(db)
    finally:
        await db.close()


async def is_current(settings: Settings) -> bool:
    """Whether the database is up to date."""
    if not _has_database(settings):
        return False
    db = database(settings)
    try:
        return await records.is_current(db)
    finally:
        await db.close()


async def storage(settings: Settings) -> Storage:
    """Where bytes live, once it has answered. Raises ``storage-unavailable`` with the setting to mend."""
    found = connect(settings)
    try:
        await found.check()
    except BaseException:
        await found.close()
        raise
    return found


async def has_key(settings: Settings) -> bool:
    """Whether an API key was ever made; False as well while there is no database yet."""
    if not _has_database(settings):
        return False
    db = database(settings)
    try:
        return await keys.ready(db) and await keys.exist(db)
    finally:
        await db.close()


def redis_url(settings: Settings) -> str:
    return settings.redis or embedded.url(settings.data_dir)


async def check(settings: Settings) -> None:
    """Raise PixelmillError, with the setting to mend, if a part that the settings name cannot be used."""
    secret.load(settings)
    targets.connect(settings)
    await (await storage(settings)).close()
    db = database(settings)
    try:
        await records.check(db)
    finally:
        await db.close()


def queue(settings: Settings) -> Queue:
    return Queue(redis_url(settings), settings.queue_name)


async def _stores(settings: Settings, stack: AsyncExitStack) -> tuple[records.Database, Storage, Queue]:
    """What every process keeps things in, closed with ``stack``."""
    db = database(settings)
    stack.push_async_callback(db.close)
    store = await storage(settings)
    stack.push_async_callback(store.close)
    jobs = queue(settings)
    stack.push_async_callback(jobs.close)
    return db, store, jobs


@asynccontextmanager
async def _present(db: records.Database, settings: Settings, kind: str) -> AsyncIterator[Presence]:
    """This process is known, and beats, for the length of the block."""
    await records.check(db)
    presence = Presence(db, settings, kind)
    await presence.enter()
    beating = asyncio.create_task(presence.beat())
    try:
        yield presence
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await presence.leave()


def api(settings: Settings) -> FastAPI:
    """The HTTP API and the pages. Parts are made when the server starts, and closed when it stops."""
    from pixelmill import web
    from pixelmill.api import Parts, create

    @asynccontextmanager
    async def parts() -> AsyncIterator[Parts]:
        async with AsyncExitStack() as stack:
            db, store, jobs = await _stores(settings, stack)
            limiter = Limiter(redis_url(settings), settings.queue_name)
            stack.push_async_callback(limiter.close)
            presence = await stack.enter_async_context(_present(db, settings, "api"))
            intake = Intake(db, store, jobs, settings, presence=presence)
            stack.push_async_callback(intake.close)
            yield Parts(
                settings=settings,
                database=db,
                storage=store,
                queue=jobs,
                intake=intake,
                presets=load_presets(settings.presets_dir),
                limiter=limiter,
                secret=secret.load(settings),
            )

    application = create(parts, cors_origins=settings.cors_origins)
    web.install(application)
    return application


async def backfill(settings: Settings, wanted: Wanted, told: Callable[[int, str], None], *, again: bool = False) -> int:
    """Take in what is in another bucket, or folder, for this service; how many images."""
    async with AsyncExitStack() as stack:
        db, store, jobs = await _stores(settings, stack)
        bucket = await storage(settings.model_copy(update={"storage_url": wanted.source}))
        stack.push_async_callback(bucket.close)
        presence = await stack.enter_async_context(_present(db, settings, "backfill"))
        # A page is a batch, whatever the limit of a request is.
        intake = Intake(db, store, jobs, settings.model_copy(update={"max_files": wanted.page}), presence=presence)
        stack.push_async_callback(intake.close)
        return await Backfill(intake, bucket, wanted).run(told, again=again)


def niceness(settings: Settings) -> int:
    """What a worker process takes for itself of the niceness that its decoders have: it comes between them and the API.

    Not so much that those for what is urgent could not be less nice than the others.
    """
    return min(settings.nice // 2, max(0, settings.nice - HURRY))


async def worker(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set; then finish what is begun, or hand it back when the grace period is over.

    Returns as well when this process has outgrown its memory: whoever runs it starts it again.
    """
    async with AsyncExitStack() as stack:
        db, store, jobs = await _stores(settings, stack)
        limits = Limits.of(settings, max_bytes=settings.max_file_bytes)
        nice = settings.nice - niceness(settings)
        decoders = Decoders(settings.workers, limits, urgent=settings.urgent_workers, nice=nice)
        await decoders.start()
        stack.push_async_callback(decoders.close)
        presence = await stack.enter_async_context(_present(db, settings, "worker"))
        # One more than there are decoders: the next original is claimed and opened while the others are decoded. Of
        # short jobs two more: as many are being stored and told of.
        slots = Slots(settings.workers + 1, ahead=2, urgent=settings.urgent_workers)
        target = targets.connect(settings)
        millhand = Millhand(db, store, jobs, decoders, settings, presence=presence, aside=slots.aside, target=target)

        intake = Intake(db, store, jobs, settings, presence=presence)
        stack.push_async_callback(intake.close)
        adopter = Adopter(intake, millhand, load_presets(settings.presets_dir))

        async def handle(job: Job | Foreign) -> Done | Later | Failed:
            return await (adopter(job) if isinstance(job, Foreign) else millhand(job))

        loop = Worker(jobs, policies.logged(handle), slots=slots)
        reconciler = asyncio.create_task(Reconciler(db, store, jobs, settings, presence=presence).run())
        deliverer = asyncio.create_task(Deliverer(db, settings, presence=presence).run())
        running = asyncio.create_task(loop.run())
        stopping = asyncio.create_task(stop.wait())
        growing = asyncio.create_task(_outgrown(settings))
        try:
            await asyncio.wait({running, stopping, growing}, return_when=asyncio.FIRST_COMPLETED)
            presence.stopping = True
            loop.stop()
            _, left = await asyncio.wait({running}, timeout=settings.grace_seconds)
            if left:
                await loop.abandon()
            await running
        finally:
            helpers = (reconciler, deliverer, running, stopping, growing)
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)


async def _outgrown(settings: Settings) -> None:
    """Return when this process holds more memory than it should: it is to be replaced by a new one."""
    most = settings.worker_memory_bytes
    while True:
        held = memory.held()
        if most and held >= most:
            log.warning("worker.outgrown", bytes=held, limit=most)
            return
        await asyncio.sleep(settings.lease_seconds / 3)
