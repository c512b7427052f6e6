"""Which submissions each line of the audit was done to, and a database that refuses to change or remove a line.

Workers of the version before go on: they only ever added to the audit. What they do meanwhile stands in the audit, and
not on the submissions' own pages."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("audit", "audit_submissions")
KEPT = "The audit is only added to: a line of it is neither changed nor removed."


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("actions", sa.Column("audit_id", big, nullable=True))
    op.create_table(
        "audit_submissions",
        sa.Column("seq", big, nullable=False),
        sa.Column("audit_id", big, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["submissions.seq"], name=op.f("fk_audit_submissions_seq")),
        sa.ForeignKeyConstraint(["audit_id"], ["audit.id"], name=op.f("fk_audit_submissions_audit_id")),
        sa.PrimaryKeyConstraint("seq", "audit_id", name=op.f("pk_audit_submissions")),
        sqlite_with_rowid=False,
    )
    _name_those_of_before(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION resultsq_only_added_to() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{KEPT}'; END $$"
        )
    for table in TABLES:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION resultsq_only_added_to()"
            )
            continue
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_kept_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
            )


def downgrade() -> None:
    for table in TABLES:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER {table}_kept ON {table}")
            continue
        for what in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_kept_{what}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION resultsq_only_added_to()")
    op.drop_table("audit_submissions")
    op.drop_column("actions", "audit_id")


def _name_those_of_before(conn: sa.Connection) -> None:
    """What was done by name: the line itself says to which. Of what was done by a filter nothing is known."""
    lines = conn.execute(sa.text("SELECT id, CAST(target AS text) AS target FROM audit")).all()
    pairs = [
        {"line": line, "one": one} for line, target in lines for one in dict.fromkeys(json.loads(target).get("ids", ()))
    ]
    if pairs:
        insert = "INSERT INTO audit_submissions (seq, audit_id) SELECT seq, :line FROM submissions WHERE id = :one"
        conn.execute(sa.text(insert), pairs)
