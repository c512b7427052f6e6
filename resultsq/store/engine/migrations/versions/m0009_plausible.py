"""What a run takes at an event."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SECONDS = {"first_least_s": 720, "first_most_s": 2700, "shortest_s": 600, "longest_s": 14400}


def upgrade() -> None:
    for name, default in _SECONDS.items():
        op.add_column("events", sa.Column(name, sa.Integer(), nullable=False, server_default=str(default)))


def downgrade() -> None:
    for name in reversed(_SECONDS):
        op.drop_column("events", name)
