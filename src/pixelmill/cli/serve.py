"""`pixelmill serve`: everything on one machine."""

from __future__ import annotations

from pixelmill.cli import supervisor
from pixelmill.cli.common import check_exposure, check_queue, load_settings
from pixelmill.cli.listening import listen
from pixelmill.queue import embedded


def serve() -> None:
    """Run everything on this machine: the API with its pages, a worker, and a queue of their own."""
    settings = load_settings()
    check_exposure(settings)
    queue = None
    if settings.redis is not None:
        check_queue(settings)
    else:
        queue = str(embedded.program())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    data_dir = settings.data_dir.resolve()
    with supervisor.lock(data_dir) as lock, listen(settings.host, settings.port) as sock:
        plan = supervisor.Plan(str(data_dir), queue, settings.grace_seconds, sock.fileno(), lock.fileno())
        supervisor.become(plan)
