"""The audit is only ever added to."""

import re
from pathlib import Path

ROOM = Path(__file__).parents[2] / "resultsq"
CHANGES = re.compile(r"\b(update|delete)\(\s*Audit\b|Audit\.__table__\.(update|delete)|(UPDATE|DELETE FROM) audit\b")


def test_no_code_changes_or_removes_a_line_when_it_is_written() -> None:
    found = [path.name for path in ROOM.rglob("*.py") if CHANGES.search(path.read_text())]
    assert found == []
