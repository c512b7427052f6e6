"""What the master keeps of kinds that have no versions: one row a submission, with its body and its receipt.

The submission's id is unique among these and among the results' sheets, whose rows are in ledger.py."""

import sqlalchemy as sa

from resultsq.master.database import Utc


def ids_table(metadata: sa.MetaData) -> sa.Table:
    """The ids of everything that the master has, sheets included."""
    return sa.Table(
        "master_ids",
        metadata,
        sa.Column("submission", sa.Text, primary_key=True, comment="one id is one submission, of whatever kind"),
        sqlite_with_rowid=False,
    )


def kept_table(metadata: sa.MetaData) -> sa.Table:
    """The table of these rows."""
    return sa.Table(
        "master_kept",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("submission", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False, comment="empty: it belongs to none"),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("received_at", Utc, nullable=False),
        sa.Column("node", sa.Text, nullable=False, comment="whose credentials brought it"),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="the committed bytes, never serialised again"),
        sa.Index("master_kept_by_node", "node", "received_at", "number"),
        sqlite_autoincrement=True,
    )
