"""Reminders that runners asked for, and links that open a profile."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_WAITS = sa.text("sealed IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "reminder_requests",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_requests")),
    )
    op.create_index("ix_reminder_requests_mark", "reminder_requests", ["mark", "asked_at"])
    op.create_index(
        "ix_reminder_requests_waiting",
        "reminder_requests",
        ["asked_at"],
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
    op.create_index("ix_reminder_requests_asked_at", "reminder_requests", ["asked_at"])
    op.create_table(
        "profile_links",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_profile_links")),
    )
    op.create_index("ix_profile_links_expires_at", "profile_links", ["expires_at"])


def downgrade() -> None:
    op.drop_table("profile_links")
    op.drop_table("reminder_requests")
