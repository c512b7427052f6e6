"""What each event has handed in on its last day.

Processes of the version before do not count: what they accept meanwhile is beside the quota."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_days",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("submissions", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_days_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event_days")),
    )
    op.create_index(op.f("ix_event_days_refused_at"), "event_days", ["refused_at"])


def downgrade() -> None:
    op.drop_table("event_days")
