"""A number that the master gave is mailed by the node where its runner registered."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_OWED, _OWED_1 = sa.text("mail_owed"), sa.text("mail_owed = 1")


def upgrade() -> None:
    op.add_column("slips", sa.Column("mail_owed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_slips_mail_owed", "slips", ["seq"], sqlite_where=_OWED_1, postgresql_where=_OWED)


def downgrade() -> None:
    op.drop_index("ix_slips_mail_owed", table_name="slips")
    op.drop_column("slips", "mail_owed")
