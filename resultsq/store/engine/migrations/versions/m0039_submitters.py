"""The names of those who submitted, each once: a search for a part of a name looks here first, and reads submissions
only where somebody has such a name."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_NOTE = "INSERT INTO submitters (name) VALUES (NEW.submitted_by) ON CONFLICT DO NOTHING"
_SQLITE = (
    f"CREATE TRIGGER submissions_submitter AFTER INSERT ON submissions BEGIN {_NOTE}; END",
)  # fmt: skip
_POSTGRES = (
    "CREATE FUNCTION resultsq_note_submitter() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN {_NOTE}; RETURN NULL; END $$",
    "CREATE TRIGGER submissions_submitter AFTER INSERT ON submissions"
    " FOR EACH ROW EXECUTE FUNCTION resultsq_note_submitter()",
)


def upgrade() -> None:
    op.create_table(
        "submitters",
        sa.Column("name", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_submitters")),
        sqlite_with_rowid=False,
    )
    # the trigger first, as in 0037
    for statement in _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)
    op.execute("INSERT INTO submitters (name) SELECT DISTINCT submitted_by FROM submissions")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER submissions_submitter ON submissions")
        op.execute("DROP FUNCTION resultsq_note_submitter()")
    else:
        op.execute("DROP TRIGGER submissions_submitter")
    op.drop_table("submitters")
