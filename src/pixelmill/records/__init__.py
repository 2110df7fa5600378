"""What is known: tables, queries, migrations, state changes and the event log. The only place with SQL."""

from pixelmill.records.database import Database, sqlite_path, sqlite_url
from pixelmill.records.upgrade import check, migrate

__all__ = ["Database", "check", "migrate", "sqlite_path", "sqlite_url"]
