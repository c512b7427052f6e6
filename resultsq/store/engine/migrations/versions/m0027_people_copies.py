"""Accounts, events and tokens that are copies of another node's."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_COPIED = ("accounts", "events", "api_tokens")


def upgrade() -> None:
    for table in _COPIED:
        op.add_column(table, sa.Column("is_copy", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("accounts", sa.Column("copied_sessions", sa.String(64), nullable=True))
    op.create_table(
        "people_copies",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("etag", sa.String(80), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wait_s", sa.Double(), nullable=False),
        sa.Column("left_names", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_copies")),
    )


def downgrade() -> None:
    op.drop_table("people_copies")
    op.drop_column("accounts", "copied_sessions")
    for table in reversed(_COPIED):
        op.drop_column(table, "is_copy")
