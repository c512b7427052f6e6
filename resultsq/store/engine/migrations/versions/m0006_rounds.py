"""Events take turns; a master that answers probes and takes nothing is an outage; an action that fails says why.

The workers of the version before go on: they claim by seq, from the same index by its first columns, and what they
accept meanwhile counts as accepted before the link's last return."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WAITS = ["state", "blocked", "hold_id", "next_attempt_at"]


def _numbers(table: str, **columns: int) -> None:
    for name, default in columns.items():
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default=str(default)))


def upgrade() -> None:
    op.add_column("actions", sa.Column("error", sa.String(100), nullable=True))
    _numbers("submissions", epoch=0, round=0)
    _numbers("links", epoch=1, round=0, failures=0, failed_seq=0)
    for name in ("failing_since", "trial_at"):
        op.add_column("links", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    # under its name, for the version before names it
    op.drop_index("ix_submissions_due", table_name="submissions")
    op.create_index("ix_submissions_due", "submissions", [*_WAITS, "epoch", "round", "seq"])


def downgrade() -> None:
    op.drop_index("ix_submissions_due", table_name="submissions")
    op.create_index("ix_submissions_due", "submissions", [*_WAITS, "seq"])
    for name in ("trial_at", "failing_since", "failed_seq", "failures", "round", "epoch"):
        op.drop_column("links", name)
    for name in ("round", "epoch"):
        op.drop_column("submissions", name)
    op.drop_column("actions", "error")
