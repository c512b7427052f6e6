"""SQLite refuses a line of the audit in another's place: INSERT OR REPLACE removes lines past the other triggers."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEPT = "The audit is only added to: a line of it is neither changed nor removed."
KEYS = {"audit": ("id",), "audit_submissions": ("seq", "audit_id")}


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, key in KEYS.items():
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        there = f"SELECT 1 FROM {table} WHERE {same}"  # noqa: S608 - names of our own
        op.execute(
            f"CREATE TRIGGER {table}_kept_insert BEFORE INSERT ON {table} "
            f"WHEN EXISTS ({there}) "
            f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in KEYS:
            op.execute(f"DROP TRIGGER {table}_kept_insert")
