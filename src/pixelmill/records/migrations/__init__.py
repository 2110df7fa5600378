"""Changes of the tables, by Alembic. Expand first, contract a release later: old and new processes may run at once."""
