"""Submissions go to one of several destinations, each with a link of its own: a claim reads those of one. Mail
addresses of accounts, and those to which nothing is sent any more.

What is here goes to the master, and so does what a worker of the version before accepts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _index_of_due(*columns: str) -> None:
    """The index that claims read, with these columns."""
    op.drop_index("ix_submissions_due", table_name="submissions")
    op.create_index("ix_submissions_due", "submissions", columns)


def upgrade() -> None:
    op.add_column("submissions", sa.Column("destination", sa.String(32), nullable=False, server_default="master"))
    _index_of_due("state", "blocked", "hold_id", "destination", "next_attempt_at", "epoch", "round", "seq")
    is_open = sa.text("published_at IS NULL")
    op.create_index(
        "ix_submissions_destination",
        "submissions",
        ["destination", "state", "seq"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.add_column("accounts", sa.Column("mail", sa.String(254), nullable=True))
    op.create_table(
        "suppressed_addresses",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_suppressed_addresses")),
    )


def downgrade() -> None:
    op.drop_table("suppressed_addresses")
    op.drop_column("accounts", "mail")
    op.drop_index("ix_submissions_destination", table_name="submissions")
    _index_of_due("state", "blocked", "hold_id", "next_attempt_at", "epoch", "round", "seq")
    op.drop_column("submissions", "destination")
