"""What each event has handed in on its last day; indexes of the actions, alerts and messages that have not ended.

Processes of the version before do not count: what they accept meanwhile is beside the quota."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OPEN = {  # table → what is indexed, and what is empty as long as a row is open
    "actions": ("started_at", "ended_at"),
    "alerts": ("rule", "ended_at"),
    "alert_messages": ("id", "sent_at"),
}


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
    for table, (column, end) in _OPEN.items():
        is_open = sa.text(f"{end} IS NULL")
        op.create_index(f"ix_{table}_open", table, [column], sqlite_where=is_open, postgresql_where=is_open)


def downgrade() -> None:
    for table in _OPEN:
        op.drop_index(f"ix_{table}_open", table_name=table)
    op.drop_table("event_days")
