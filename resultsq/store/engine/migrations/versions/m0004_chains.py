"""Which version each one corrects, and what the undo of a withdrawal puts back.

The workers of the version before go on: what they accept meanwhile names only its base, and what they withdraw is put
back as they would."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_A_BUNDLE = "in_doubt AND attempts = 0 AND request_id = ''"
"""What came in a bundle and was never sent. It corrects what its base names, and not whatever was here before it."""


def upgrade() -> None:
    op.add_column("submissions", sa.Column("corrects", sa.String(36), nullable=True))
    op.add_column("submissions", sa.Column("before_withdrawal", sa.JSON(), nullable=True))
    op.execute(
        "UPDATE submissions SET corrects = (SELECT below.id FROM submissions AS below "  # noqa: S608 - our own words
        "WHERE below.chain_id = submissions.chain_id AND below.version = submissions.version - 1) "
        f"WHERE version > 1 AND NOT ({_OF_A_BUNDLE})"
    )
    op.execute(f"UPDATE submissions SET corrects = base WHERE {_OF_A_BUNDLE}")  # noqa: S608 - our own words


def downgrade() -> None:
    op.drop_column("submissions", "before_withdrawal")
    op.drop_column("submissions", "corrects")
