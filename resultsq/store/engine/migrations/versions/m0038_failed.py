"""What failed, or waits no more, is found by indexes that have nothing else in them: few of all that there ever was."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ceased", ["state", "state_at"], "state IN ('conflict', 'rejected', 'superseded', 'withdrawn')"),
    ("cause", ["cause", "seq"], "cause IS NOT NULL"),
    ("failed_status", ["status", "seq"], "status NOT BETWEEN 200 AND 299"),
)


def upgrade() -> None:
    for name, columns, of in _INDEXES:
        where = sa.text(of)
        op.create_index(f"ix_submissions_{name}", "submissions", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, *_ in _INDEXES:
        op.drop_index(f"ix_submissions_{name}", table_name="submissions")
