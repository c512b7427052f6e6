"""The copy of the master's list of athletes: its rows by generation, and which generation is in use."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "athlete_copies",
        sa.Column("generation", _BIG, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("begun_at", _TIME, nullable=False),
        sa.Column("as_of", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_athlete_copies")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "athletes_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("current", _BIG, nullable=True),
        sa.Column("loading", _BIG, nullable=True),
        sa.Column("leased_by", sa.String(100), nullable=True),
        sa.Column("leased_until", _TIME, nullable=True),
        sa.Column("tried_at", _TIME, nullable=True),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("wait_s", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_athletes_state")),
    )
    op.create_table(
        "athlete_homes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_athlete_homes")),
        sa.UniqueConstraint("slug", name=op.f("uq_athlete_homes_slug")),
    )
    op.create_table(
        "athletes",
        sa.Column("generation", _BIG, nullable=False, autoincrement=False),
        sa.Column("number", _BIG, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("sought", sa.Text(collation="C").with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("club", sa.Text(), nullable=True),
        sa.Column("home", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("mail", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "number", name=op.f("pk_athletes")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_athletes_home_sought", "athletes", ["generation", "home", "sought"])


def downgrade() -> None:
    for table in ("athletes", "athlete_homes", "athletes_state", "athlete_copies"):
        op.drop_table(table)
