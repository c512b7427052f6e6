"""Registrations: personal submissions, their slips, and blocks of athlete numbers."""

import sqlalchemy as sa
from alembic import op

from resultsq.store.engine.tables import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submissions", sa.Column("personal", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "slips",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("number", sa.String(16), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["submissions.seq"], name=op.f("fk_slips_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_slips")),
    )
    op.create_table(
        "number_blocks",
        sa.Column("key", sa.String(36), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=True),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("next", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("ask_at", UtcDateTime(), nullable=True),
        sa.Column("wait_s", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_number_blocks")),
    )
    op.create_index("ix_number_blocks_next", "number_blocks", ["next"])


def downgrade() -> None:
    op.drop_table("number_blocks")
    op.drop_table("slips")
    op.drop_column("submissions", "personal")
