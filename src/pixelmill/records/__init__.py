"""What is known: tables, queries, migrations, state changes and the event log. The only place with SQL."""

from pixelmill.records.database import Database, sqlite_path, sqlite_url
from pixelmill.records.upgrade import check, is_current, migrate

__all__ = ["Database", "check", "is_current", "migrate", "sqlite_path", "sqlite_url"]
