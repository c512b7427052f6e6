"""Submissions that other nodes handed to this one, the events of a node's token, and this node's own name."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_tokens", sa.Column("events", sa.JSON(), nullable=True))
    op.create_table(
        "custodies",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("via", sa.String(1000), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["submissions.seq"], name=op.f("fk_custodies_seq")),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name=op.f("fk_custodies_token_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_custodies")),
    )
    op.create_table(
        "node_identity",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_identity")),
    )


def downgrade() -> None:
    op.drop_table("node_identity")
    op.drop_table("custodies")
    op.drop_column("api_tokens", "events")
