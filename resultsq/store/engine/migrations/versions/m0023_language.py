"""The language that an account's owner reads, and that of an event."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("language", sa.String(16), nullable=True))
    op.add_column("events", sa.Column("language", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("events", "language")
    op.drop_column("accounts", "language")
