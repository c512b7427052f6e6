"""The drafts of one account, newest first, by an index: a team's first page asks for them."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_drafts_account_updated", "drafts", ["account_id", "updated_at"])


def downgrade() -> None:
    op.drop_index("ix_drafts_account_updated", "drafts")
