"""The database keeps a count of submissions for each state, so that no page has to count them.

Triggers keep the figures, so they are true whichever version writes. SQLite's writers take turns: there a change is
added to its figure at once. On PostgreSQL writers would wait for each other at it, so each change is a row of its own,
which a worker adds up later (outbox/state_sums.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_KEY = "event_id, destination, kind, state"
_ADDS = "ON CONFLICT (event_id, destination, kind, state) DO UPDATE SET number = number"


def upgrade() -> None:
    op.create_table(
        "state_counts",
        *_key(),
        sa.PrimaryKeyConstraint("event_id", "destination", "kind", "state", name=op.f("pk_state_counts")),
        sqlite_with_rowid=False,
    )
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "state_changes",
        sa.Column("id", big, nullable=False),
        *_key(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_changes")),
    )
    # the triggers first: on PostgreSQL they keep all other writers out until what is there has been counted
    for statement in _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)
    op.execute(
        f"INSERT INTO state_counts ({_KEY}, number)"  # noqa: S608 - all of it is written here
        f" SELECT event_id, destination, kind, {_state('state')} AS counted, COUNT(*) FROM submissions"
        " GROUP BY event_id, destination, kind, counted"
    )


def downgrade() -> None:
    for what in ("insert", "update", "delete"):
        on = " ON submissions" if op.get_bind().dialect.name == "postgresql" else ""
        op.execute(f"DROP TRIGGER submissions_counted_{what}{on}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION resultsq_count_states()")
    op.drop_table("state_changes")
    op.drop_table("state_counts")


def _key() -> list[sa.Column[object]]:
    return [
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
    ]


def _state(column: str) -> str:
    """One that is being sent counts as queued: so a claim writes no figure."""
    return f"CASE {column} WHEN 'sending' THEN 'queued' ELSE {column} END"


def _values(row: str) -> str:
    return f"{row}.event_id, {row}.destination, {row}.kind, {_state(f'{row}.state')}"


_MOVED = (
    f"({_state('OLD.state')}) <> ({_state('NEW.state')})"
    " OR OLD.destination <> NEW.destination OR OLD.kind <> NEW.kind OR OLD.event_id <> NEW.event_id"
)
_COLUMNS = "state, destination, kind, event_id"


def _add(row: str, number: str) -> str:
    return f"INSERT INTO state_counts ({_KEY}, number) VALUES ({_values(row)}, {number}) {_ADDS} {number};"  # noqa: S608


_MORE, _LESS = _add("NEW", "+1"), _add("OLD", "-1")
_SQLITE = (
    f"CREATE TRIGGER submissions_counted_insert AFTER INSERT ON submissions BEGIN {_MORE} END",
    f"CREATE TRIGGER submissions_counted_update AFTER UPDATE OF {_COLUMNS} ON submissions WHEN {_MOVED}"
    f" BEGIN {_LESS} {_MORE} END",
    f"CREATE TRIGGER submissions_counted_delete AFTER DELETE ON submissions BEGIN {_LESS} END",
)

_CHANGE = f"INSERT INTO state_changes ({_KEY}, number) VALUES"
_EACH = "FOR EACH ROW EXECUTE FUNCTION resultsq_count_states()"
_POSTGRES = (
    "CREATE FUNCTION resultsq_count_states() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" IF TG_OP <> 'INSERT' THEN {_CHANGE} ({_values('OLD')}, -1); END IF;"
    f" IF TG_OP <> 'DELETE' THEN {_CHANGE} ({_values('NEW')}, 1); END IF;"
    " RETURN NULL; END $$",
    f"CREATE TRIGGER submissions_counted_insert AFTER INSERT ON submissions {_EACH}",
    f"CREATE TRIGGER submissions_counted_update AFTER UPDATE OF {_COLUMNS} ON submissions FOR EACH ROW"
    f" WHEN ({_MOVED}) EXECUTE FUNCTION resultsq_count_states()",
    f"CREATE TRIGGER submissions_counted_delete AFTER DELETE ON submissions {_EACH}",
)
