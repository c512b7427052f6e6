"""The digest of a sheet's finishers, by which the same ones are known for another date or event.

What was accepted before has none; a worker fills them in (outbox/digests.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submissions", sa.Column("finishers_digest", sa.String(64), nullable=True))
    op.create_index(
        "ix_submissions_finishers",
        "submissions",
        ["finishers_digest", "event_id", "date"],
        sqlite_where=sa.text("finishers_digest IS NOT NULL"),
        postgresql_where=sa.text("finishers_digest IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_submissions_finishers", "submissions")
    op.drop_column("submissions", "finishers_digest")
