"""Submissions that this node handed to a relay."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "handovers",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("relay", sa.String(255), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("was_in_doubt", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["submissions.seq"], name=op.f("fk_handovers_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_handovers")),
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_handovers_due", "handovers", ["due_at"], sqlite_where=is_due, postgresql_where=is_due)


def downgrade() -> None:
    op.drop_table("handovers")
