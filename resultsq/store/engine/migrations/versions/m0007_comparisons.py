"""What the master said of its newest receipt, and what the last comparison with it found."""

import sqlalchemy as sa
from alembic import op

from resultsq.store.engine.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("link", sa.String(32), nullable=False),
        sa.Column("latest_at", UtcDateTime(), nullable=True),
        sa.Column("latest_count", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=True),
        sa.Column("rewound_at", UtcDateTime(), nullable=True),
        sa.Column("compared_at", UtcDateTime(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("lost_at", UtcDateTime(), nullable=True),
        sa.Column("lost", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("link", name="pk_comparisons"),
    )


def downgrade() -> None:
    op.drop_table("comparisons")
