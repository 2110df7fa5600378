"""``/metrics``: what the monitor shows, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from pixelmill.api import problems
from pixelmill.api.auth import Operator
from pixelmill.api.parts import Given, Parts
from pixelmill.errors import PixelmillError
from pixelmill.records import monitor
from pixelmill.records.tables import now

router = APIRouter(tags=["monitor"])

#: A sample older than this says nothing of now.
_RECENT = timedelta(minutes=1)


class _Found(Collector):
    """Figures that were asked for already: a database is asked with ``await``, which a collector cannot."""

    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._families


def _family(name: str, help: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pixelmill_{name}", help, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


async def _families(parts: Parts, owner: str | None) -> Iterator[GaugeMetricFamily]:
    oldest = await monitor.oldest(parts.database, owner=owner)
    waited = (now() - oldest).total_seconds() if oldest else 0.0
    kinds: dict[str, float] = {"api": 0, "worker": 0}
    for process in await monitor.running(parts.database):
        kinds[process.kind] = kinds.get(process.kind, 0) + 1
    counts = await monitor.counts(parts.database, owner=owner)
    found = [
        _family("images", f"Images by state; {monitor.MOST} stands for so many at least.", "state", {**counts}),
        GaugeMetricFamily("pixelmill_oldest_waiting_seconds", "Age of the image that waits longest.", waited),
        _family("processes", "Processes that are not known to be dead.", "kind", kinds),
    ]
    try:
        queued, paused = await parts.queue.counts(), await parts.queue.paused()
        found.append(_family("queue_jobs", "Jobs by BullMQ's states.", "state", {**queued}))
        found.append(GaugeMetricFamily("pixelmill_queue_paused", "1 while the queue is paused.", paused))
    except PixelmillError:
        pass  # what is not known is not told
    for sample in (await monitor.series(parts.database, now() - _RECENT))[-1:]:
        ended = {"completed": sample.completed / sample.seconds, "failed": sample.failed / sample.seconds}
        found.append(_family("images_per_second", "Images that ended, over the newest sample.", "state", ended))
        took = {"0.5": sample.latency_p50, "0.95": sample.latency_p95}
        known = {share: seconds for share, seconds in took.items() if seconds is not None}
        found.append(_family("latency_seconds", "From acceptance to completion, newest sample.", "quantile", known))
    return iter(found)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE_PLAIN_0_0_4: {}}, "description": "Prometheus' text format."},
        **problems.responses("missing-scope", "unavailable"),
    },
)
async def get_metrics(parts: Given, caller: Operator) -> Response:
    """All are gauges. Prometheus sends its key as `authorization: {credentials_file: …}`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(await _families(parts, caller.view)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
