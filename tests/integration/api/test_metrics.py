"""What Prometheus is told."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from pixelmill.records import monitor, work
from pixelmill.records.claims import Failure, Report
from pixelmill.records.tables import now
from tests.sites import JPEG, Site
from tests.tenants import tenant


async def told(site: Site) -> dict[str, float]:
    answer = await site.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
    return {" ".join([one.name.removeprefix("pixelmill_"), *one.labels.values()]): one.value for one in samples}


async def test_the_figures_are_those_of_the_monitor(site: Site) -> None:
    empty = await told(site)
    assert (empty["images waiting"], empty["oldest_waiting_seconds"], empty["processes api"]) == (0, 0, 1)
    since = now() - timedelta(seconds=10)
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    held = await site.claim(batch["files"][0]["jobId"])
    await work.fail(site.parts.database, held, Failure("corrupt-image", "Cut."), Report())
    await monitor.sample(site.parts.database, since)
    found = await told(site)
    assert (found["images waiting"], found["images failed"], found["queue_paused"]) == (1, 1, 0)
    assert found["oldest_waiting_seconds"] > 0
    assert found["queue_jobs waiting"] == 2
    assert 0 < found["images_per_second failed"] <= 0.1


async def test_only_the_operator_is_told(site: Site) -> None:
    async with tenant(site, "shop") as shop, tenant(site, "") as operator:
        assert (await site.client.get("/metrics")).status_code == 401
        assert (await shop.client.get("/metrics")).status_code == 403
        assert (await operator.client.get("/metrics")).status_code == 200
