"""Results that teams' devices kept while the node could not be reached, and what each device still holds."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_entries",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("date", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("submission", sa.String(36), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_device_entries_account_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_device_entries_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_entries")),
    )
    is_open = sa.text("done_at IS NULL")
    op.create_index(
        "ix_device_entries_open",
        "device_entries",
        ["event_id", "account_id"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_device_entries_received_at", "device_entries", ["received_at"])
    op.create_table(
        "device_entry_files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["device_entries.id"], name=op.f("fk_device_entry_files_entry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_entry_files")),
    )
    op.create_index("ix_device_entry_files_entry_id", "device_entry_files", ["entry_id"])
    op.create_table(
        "devices",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("holds", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
    )
    op.create_index("ix_devices_holds", "devices", ["holds"])


def downgrade() -> None:
    op.drop_table("devices")
    op.drop_table("device_entry_files")
    op.drop_table("device_entries")
