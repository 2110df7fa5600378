"""Runs migrations on the connection that :func:`pixelmill.records.migrate` hands over."""

from alembic import context

from pixelmill.records.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=connection.dialect.name == "postgresql",
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
