"""The newest time that the node has itself written: a clock that lies behind it is wrong."""

import sqlalchemy as sa
from alembic import op

from resultsq.store.engine.tables import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("newest_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE links SET newest_at = probed_at")


def downgrade() -> None:
    op.drop_column("links", "newest_at")
