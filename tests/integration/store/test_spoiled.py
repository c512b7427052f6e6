"""What the disk spoiled without a word is put aside and told, and neither sent nor shown; the others go on."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Hold, Original, Payload, Submission
from resultsq.store.engine.whole import CAUSE
from resultsq.store.outbox.aside import DAMAGED
from resultsq.store.views import queries, submission_detail, versions
from tests.support.nodes import StoreNode


def spoil(node: StoreNode, submission: str) -> None:
    """One figure of its sheet is another, past everything that writes."""
    seq = node.row(submission).seq

    def work(conn: Connection) -> None:
        body = conn.execute(select(Payload.body).where(Payload.seq == seq)).scalar_one()
        at = body.index(b"00:1")
        conn.execute(
            update(Payload).where(Payload.seq == seq).values(body=body[:at] + b"00:2" + body[at + 4 :])
        )  # fmt: skip

    node.database.write(work)


def why_held(node: StoreNode, submission: str) -> str | None:
    query = select(Hold.reason).join(Submission, Submission.hold_id == Hold.id).where(Submission.id == submission)
    with node.database.read() as conn:
        return conn.execute(query).scalar()


def test_a_spoiled_sheet_is_put_aside_and_the_others_are_sent(up: StoreNode) -> None:
    bad, good = up.accept("bushy").id, up.accept("richmond").id
    spoil(up, bad)
    assert [lease.submission for lease in up.claim()] == [good]
    assert (up.state(bad), up.row(bad).attempts, why_held(up, bad)) == (State.QUEUED, 0, DAMAGED)
    up.act("release", bad)
    assert up.claim() == [], "and again, for it is as damaged as before"


def test_a_spoiled_sheet_does_not_leave_in_a_bundle(up: StoreNode) -> None:
    bad, good = up.accept("bushy").id, up.accept("richmond").id
    spoil(up, bad)
    packed, _ = up.database.write(lambda conn: outbox.export(conn, up.now, [State.QUEUED], "bundle"))
    assert [one.id for one in packed] == [good]
    assert why_held(up, bad) == DAMAGED


def test_a_spoiled_sheet_is_not_shown_and_its_page_is(up: StoreNode) -> None:
    bad = up.accept().id
    spoil(up, bad)
    with up.database.read() as conn:
        with pytest.raises(StoreUnavailable, match="is damaged on this node's disk") as refused:
            queries.body(conn, up.row(bad).seq)
        assert refused.value.cause == CAUSE
        assert versions.last_sheets(conn, up.events["bushy"], 5) == []
        detail = submission_detail.load_detail(conn, up.now, bad)
    assert detail is not None
    assert (detail.body, detail.damaged) == (None, True)


def test_a_spoiled_file_is_not_shown(up: StoreNode) -> None:
    file = outbox.File(name="watch.csv", kind="stopwatch", digest="00" * 32, content=b"0,07/12/2013 09:00:00")
    told = up.accept(files=(file,))
    seq = up.row(told.id).seq
    with up.database.read() as conn:
        number: Any = conn.execute(select(Original.id)).scalar_one()
        for show in (lambda: versions.file(conn, seq, number), lambda: queries.files(conn, seq)):
            with pytest.raises(StoreUnavailable, match="is damaged"):
                show()


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + bytes(4080), b"no database at all, but a letter\n" * 200])
def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db").write_bytes(content)
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(StoreUnavailable) as refused, database.read():
        pass
    assert refused.value.cause == CAUSE
    with pytest.raises(StoreUnavailable):
        database.write(lambda conn: conn.execute(select(Submission.seq)).all())
    database.close()
