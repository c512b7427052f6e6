"""Kinds beside results: a chain's subject may be a submission's id, events take turns by kind, and the master may
refuse one kind of an event.

The key of a chain stays (kind, event_id, date); `date` holds its subject now, which is an id where there are no
versions. The workers of the version before go on: they write dates there, and keep refusals with the events."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _lengthen(old: int, new: int) -> None:
    if op.get_bind().dialect.name == "postgresql":  # the catalogue alone changes; SQLite asks no length
        op.alter_column("chains", "date", type_=sa.String(new), existing_type=sa.String(old), existing_nullable=False)


def _index_of_open(*columns: str) -> None:
    """The index of what is not published, with these columns."""
    op.drop_index("ix_submissions_open", table_name="submissions")
    is_open = sa.text("published_at IS NULL")
    op.create_index("ix_submissions_open", "submissions", columns, sqlite_where=is_open, postgresql_where=is_open)


def upgrade() -> None:
    _lengthen(10, 64)
    op.add_column("submissions", sa.Column("lane", sa.String(48), nullable=True))
    op.execute("UPDATE submissions SET lane = event_id || ' ' || kind WHERE state IN ('queued', 'sending')")
    op.create_index("ix_submissions_lane", "submissions", ["lane", "seq"])
    _index_of_open("event_id", "accepted_at", "state", "kind")
    op.create_table(
        "refusals",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_refusals_event_id")),
        sa.PrimaryKeyConstraint("kind", "event_id", name=op.f("pk_refusals")),
    )
    op.execute(
        "INSERT INTO refusals (kind, event_id, refused_at, next_at) "
        "SELECT 'results', id, refused_at, COALESCE(refused_next_at, refused_at) FROM events "
        "WHERE refused_at IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table("refusals")
    _index_of_open("event_id", "accepted_at", "state")
    op.drop_index("ix_submissions_lane", table_name="submissions")
    op.drop_column("submissions", "lane")
    # what has no versions stays under a shorter subject, of which none is lost: its id is in its row
    op.execute("UPDATE chains SET date = CAST(id AS VARCHAR(10)) WHERE LENGTH(date) > 10")
    _lengthen(64, 10)
