"""Names of athletes in a table of their own, which is loaded in its own order."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SOUGHT = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "athlete_names",
        sa.Column("generation", _BIG, nullable=False, autoincrement=False),
        sa.Column("home", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("sought", _SOUGHT, nullable=False),
        sa.Column("number", _BIG, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("generation", "home", "sought", "number", name=op.f("pk_athlete_names")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO athlete_names (generation, home, sought, number) SELECT generation, home, sought, number"
        " FROM athletes WHERE sought IS NOT NULL ORDER BY generation, home, sought"
    )
    op.drop_index("ix_athletes_home_sought", table_name="athletes")
    op.drop_column("athletes", "sought")


def downgrade() -> None:
    op.add_column("athletes", sa.Column("sought", _SOUGHT, nullable=True))
    op.execute(
        "UPDATE athletes SET sought = n.sought FROM athlete_names AS n"
        " WHERE n.generation = athletes.generation AND n.number = athletes.number"
    )
    op.create_index("ix_athletes_home_sought", "athletes", ["generation", "home", "sought"])
    op.drop_table("athlete_names")
