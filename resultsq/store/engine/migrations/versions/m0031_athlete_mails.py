"""Athletes are looked up by the keyed hash of an address, in a table of its own, which is loaded in its own order."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "athlete_mails",
        sa.Column("generation", _BIG, nullable=False, autoincrement=False),
        sa.Column("mail", sa.LargeBinary(), nullable=False),
        sa.Column("number", _BIG, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("generation", "mail", "number", name=op.f("pk_athlete_mails")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO athlete_mails (generation, mail, number) SELECT generation, mail, number"
        " FROM athletes WHERE mail IS NOT NULL ORDER BY generation, mail"
    )


def downgrade() -> None:
    op.drop_table("athlete_mails")
