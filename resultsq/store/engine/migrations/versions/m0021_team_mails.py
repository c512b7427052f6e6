"""What teams were mailed about, so that each is told once, and the secret by which a mail's reader unsubscribes."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_Seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("mail_secret", sa.String(43), nullable=True))
    op.create_index("ix_accounts_mail_secret", "accounts", ["mail_secret"])
    op.create_table(
        "team_mails",
        sa.Column("seq", _Seq, nullable=False),
        sa.Column("about", sa.String(16), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["submissions.seq"], name=op.f("fk_team_mails_seq")),
        sa.PrimaryKeyConstraint("seq", "about", name=op.f("pk_team_mails")),
    )
    op.create_index("ix_team_mails_told_at", "team_mails", ["told_at"])


def downgrade() -> None:
    op.drop_table("team_mails")
    op.drop_index("ix_accounts_mail_secret", table_name="accounts")
    op.drop_column("accounts", "mail_secret")
