"""The settings that a process started with, in the audit: a line each time that they differ from its last start."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from resultsq.store.engine import audit

ACTION = "start with settings"


def note_settings(conn: Connection, now: datetime, process: str, settings: Mapping[str, str]) -> bool:
    """Add a line where the settings changed; whether it was added.

    :param process: whose they are, as `web` or the worker's name: each has its own environment
    :param settings: name → value as it is shown; a secret is masked, so only its being set is compared"""
    before = audit.last_target(conn, process, ACTION)
    if before is not None and before.get("settings") == settings:
        return False
    old = before.get("settings", {}) if before is not None else {}
    changed = sorted(name for name in {*old, *settings} if old.get(name) != settings.get(name))
    target = {"settings": dict(settings), "changed": changed if before is not None else []}
    audit.note(conn, now, process, ACTION, target, len(changed))
    return True
