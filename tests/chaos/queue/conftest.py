"""A queue of each test's own."""

from tests.queues import queue, server

__all__ = ["queue", "server"]
