"""Runs a migration on the connection that resultsq/store/engine/migrate.py hands over."""

from alembic import context

from resultsq.store.engine.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
