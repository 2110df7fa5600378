"""The API as it runs, for its clients."""

from tests.integration.api.conftest import settings, site, site_with

__all__ = ["settings", "site", "site_with"]
