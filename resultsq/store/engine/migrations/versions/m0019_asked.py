"""A comparison with the master that is asked for, and how far back one has gone."""

import sqlalchemy as sa
from alembic import op

from resultsq.store.engine.tables import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("asked_since", "reached_since"):
        op.add_column("comparisons", sa.Column(name, UtcDateTime(), nullable=True))


def downgrade() -> None:
    for name in ("reached_since", "asked_since"):
        op.drop_column("comparisons", name)
