"""Slips are found by their number: whose it is, a team asks while the list of athletes cannot know it."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_slips_number", "slips", ["number"])


def downgrade() -> None:
    op.drop_index("ix_slips_number", table_name="slips")
