"""The outages of the last day are found by when they ended: workers ask for them every few seconds."""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_outages_ended_at", "outages", ["ended_at"])


def downgrade() -> None:
    op.drop_index("ix_outages_ended_at", table_name="outages")
