"""Athletes are looked up by the keyed hash of an address."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_HAS_MAIL = sa.text("mail IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_athletes_mail", "athletes", ["generation", "mail"], sqlite_where=_HAS_MAIL, postgresql_where=_HAS_MAIL
    )


def downgrade() -> None:
    op.drop_index("ix_athletes_mail", table_name="athletes")
