"""An index of what failed and how, so that errors are grouped without reading the submissions that wait.

The workers of the version before go on: they write to it without knowing it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    failed = sa.text("fingerprint IS NOT NULL")
    op.create_index(
        "ix_submissions_failed",
        "submissions",
        ["fingerprint", "cause", "status", "state"],
        sqlite_where=failed,
        postgresql_where=failed,
    )


def downgrade() -> None:
    op.drop_index("ix_submissions_failed", table_name="submissions")
