"""The mail with a runner's number is in the language in which the runner registered."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slips", sa.Column("language", sa.String(20)))


def downgrade() -> None:
    op.drop_column("slips", "language")
