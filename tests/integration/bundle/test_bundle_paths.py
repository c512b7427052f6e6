"""By either road or by both: once at the master, and each node learns of it."""

import gzip
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import MultiFernet
from sqlalchemy import delete

from resultsq.app import intake
from resultsq.app.context import AppContext
from resultsq.app.event_day import Calendar
from resultsq.delivery import bundle
from resultsq.domain import sheet
from resultsq.domain.errors import HeadMoved, InputRefused, SettingsError
from resultsq.domain.submission import State
from resultsq.readers import MAX_ROWS
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.engine.tables import Payload
from resultsq.wakeup import Bell
from tests.integration.bundle.conftest import Far, deliver_all, export, take_in
from tests.support.manual_clock import ManualClock
from tests.support.nodes import DATE, NOW, StoreNode, finishers, lost, moved


def test_it_is_there_once_when_the_bundle_and_then_the_network_bring_it(
    here: StoreNode, far: Far, locks: MultiFernet
) -> None:
    made = here.accept().id
    said = bundle.give_to_master(far.master, bundle.unseal(export(here, locks), locks))
    assert [(one.submission, one.word) for one in said] == [(made, "published")]
    deliver_all(here, far)
    assert far.has() == {made: 1}
    assert here.state(made) is State.PUBLISHED


def test_it_is_there_once_when_the_network_and_then_the_bundle_bring_it(
    here: StoreNode, far: Far, locks: MultiFernet
) -> None:
    made = here.accept().id
    content = export(here, locks)
    deliver_all(here, far)
    assert [one.word for one in bundle.give_to_master(far.master, bundle.unseal(content, locks))] == ["published"]
    assert far.has() == {made: 1}


def test_both_nodes_know_and_it_is_there_once_when_another_node_takes_it_in(
    here: StoreNode, there: StoreNode, far: Far, locks: MultiFernet
) -> None:
    made = [here.accept(event).id for event in ("bushy", "richmond")]
    content = export(here, locks)
    assert take_in(there, content, locks) == (2, 0)
    assert take_in(there, content, locks) == (0, 2)
    deliver_all(there, far)
    deliver_all(here, far)
    assert far.has() == dict.fromkeys(made, 1)
    for node in (here, there):
        assert [node.state(one) for one in made] == [State.PUBLISHED] * 2


def test_a_correction_lands_on_top_when_its_predecessor_went_by_the_other_road(
    here: StoreNode, there: StoreNode, far: Far, locks: MultiFernet
) -> None:
    first = here.accept().id
    take_in(there, export(here, locks), locks)
    second = here.accept(rows=4, corrects=first).id
    deliver_all(there, far)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2}
    assert (here.state(first), here.state(second)) == (State.CORRECTED, State.PUBLISHED)


def test_a_whole_chain_lands_in_its_order_when_it_travels_in_a_bundle(
    here: StoreNode, there: StoreNode, far: Far, locks: MultiFernet
) -> None:
    first = here.accept().id
    here.try_one(lost())  # so that the second cannot step over it
    here.probe()
    second = here.accept(rows=4, corrects=first).id
    assert take_in(there, export(here, locks), locks) == (2, 0)
    deliver_all(there, far)
    assert far.has() == {first: 1, second: 2}


def test_nobody_can_say_what_the_master_has_when_it_was_exported(here: StoreNode, locks: MultiFernet) -> None:
    made = here.accept().id
    export(here, locks)
    (attempt,) = here.attempts(made)
    assert (attempt.outcome, attempt.cause, here.row(made).attempts) == ("unknown", "exported", 1)
    with pytest.raises(HeadMoved):
        here.withdraw(made)
    assert here.state(made) is State.QUEUED


def test_finishers_are_here_already_wherever_a_bundle_brought_them(
    here: StoreNode, there: StoreNode, locks: MultiFernet, tmp_path: Path
) -> None:
    lines = [row.model_dump() for row in finishers(12)]
    helpers = [{"athlete": "A9", "role": "Timekeeper"}]
    body = json.dumps({"event": "bushy", "date": DATE, "finishers": lines, "volunteers": helpers}).encode()
    sent = intake.from_json(body, MAX_ROWS, Calendar(NOW.date()))
    held = AppContext(Settings(data_dir=tmp_path), here.database, ManualClock(NOW), Bell(""))
    made = intake.submit(held, sent, event_id=here.events["bushy"], submitted_by="team").id
    assert take_in(there, export(here, locks), locks) == (1, 0)

    assert here.row(made).finishers_digest == there.row(made).finishers_digest is not None
    next_week = replace(sent, date=date(2013, 12, 14), rows=sheet.rows_of(finishers(12), ()))
    for node in (here, there):
        with node.database.read() as conn:
            again = intake.with_others(conn, next_week, node.row(made).event_id, lambda event: True)
        assert [problem.code for problem in again.problems] == ["already-here"]
        assert "7 December 2013" in again.problems[0].message


@pytest.mark.parametrize("bound", ["MOST_SHEETS", "LARGEST"])
def test_what_a_full_bundle_does_not_take_is_left_as_it_is(
    here: StoreNode, locks: MultiFernet, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    here.accept_many(9)
    first = bundle.unseal(export(here, locks), locks)[0]
    here.accept_many(9, "richmond")
    size = len(first.body) * 4 // 3 + 2048
    monkeypatch.setattr(bundle, bound, 5 if bound == "MOST_SHEETS" else 6 * size - 1)
    made = bundle.export(here.database, here.now, locks, [State.QUEUED])
    assert (made.count, made.is_full) == (5, True)
    assert here.count(attempts=2) == 5
    assert here.count(event_id=here.events["richmond"], in_doubt=False, attempts=0) == 9
    monkeypatch.undo()
    assert not bundle.export(here.database, here.now, locks, [State.QUEUED]).is_full


def test_some_are_taken_at_a_time_in_their_order_and_no_more_than_was_asked_for(here: StoreNode) -> None:
    ids = [here.accept(event).id for event in here.events]
    here.try_one(moved("elsewhere", 3))
    here.publish_one()

    def taken(after: int, most: int, *states: State, **more: Any) -> tuple[list[str], int]:
        found, last = here.database.write(
            lambda conn: outbox.export(conn, here.now, states, "usb", after, most, **more)
        )
        return [one.id for one in found], last

    def waits(after: int, *states: State, **more: Any) -> bool:
        with here.database.read() as conn:
            return outbox.waits_behind(conn, states, after, **more)

    conflict, _, queued = (here.row(one).seq for one in ids)
    both = (State.CONFLICT, State.QUEUED)
    assert taken(0, 1, *both) == (ids[:1], conflict)
    assert taken(conflict, 1, *both) == (ids[2:], queued)
    assert taken(queued, 1, *both) == ([], queued)
    assert taken(0, 9, State.QUEUED, State.PUBLISHED) == (ids[2:], queued), "the master has the other"
    assert taken(0, 9, *both, kinds=["messages"]) == ([], 0)
    assert taken(0, 9, *both, kinds=["results"])[0] == [ids[0], ids[2]]
    assert [waits(seq, *both) for seq in (0, conflict, queued)] == [True, True, False]
    assert not waits(0, State.PUBLISHED)
    assert (waits(0, *both, kinds=["messages"]), waits(0, *both, kinds=["results"])) == (False, True)
    sheetless = here.accept(date="2013-12-14").id
    assert waits(queued, *both)
    here.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == here.row(sheetless).seq)))
    assert not waits(queued, *both), "there is nothing to carry"
    assert taken(queued, 9, *both) == ([], queued)
    assert [one.number for one in here.attempts(ids[2])] == [1, 2, 3]
    assert (here.row(ids[2]).attempts, here.row(ids[1]).attempts) == (3, 1)
    assert [(one.worker, one.duration_s, one.ended_at) for one in here.attempts(ids[2])] == [("usb", 0, here.now)] * 3


def test_another_sheet_under_a_known_id_is_refused_and_the_others_are_taken(
    here: StoreNode, there: StoreNode, locks: MultiFernet
) -> None:
    known = here.accept().id
    take_in(there, export(here, locks), locks)
    before = there.row(known)
    here.accept("richmond")
    one, other = bundle.unseal(export(here, locks), locks)
    another = here.entry(rows=5)
    forged = replace(one, body=another.body, digest=another.digest, rows_digest=another.rows_digest, finishers=5)
    found = bundle.take_in(there.database, there.now, [forged, other], "Europe/London")
    assert (found.new, found.known) == (1, 0)
    (why,) = found.refused
    assert why == f"{known} of bushy is here already with another sheet. It was not taken."
    assert there.row(known) == before
    assert there.state(other.id) is State.QUEUED


# what cannot be opened


def test_nothing_is_taken_when_the_key_is_another(here: StoreNode, there: StoreNode, locks: MultiFernet) -> None:
    here.accept()
    with pytest.raises(InputRefused, match="another key"):
        take_in(there, export(here, locks), bundle.keys(bundle.new_key()))
    assert there.count() == 0


def test_nothing_is_taken_when_one_byte_was_changed_or_cut_off(
    here: StoreNode, there: StoreNode, locks: MultiFernet
) -> None:
    here.accept()
    content = export(here, locks)
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for spoilt in (changed, content[:-10], content[:middle], b"", b"PK\x03\x04 a zip"):
        with pytest.raises(InputRefused):
            take_in(there, spoilt, locks)
    assert there.count() == 0


def test_nothing_is_taken_when_a_sheet_is_not_what_its_digest_says(here: StoreNode, locks: MultiFernet) -> None:
    here.accept()
    (one,) = bundle.unseal(export(here, locks), locks)
    other = replace(one, body=one.body.replace(b"00:17:01", b"00:16:01"))
    assert other != one
    with pytest.raises(InputRefused, match="digest"):
        bundle.unseal(bundle.seal([other], here.now, locks), locks)


def test_nothing_is_taken_when_one_is_of_an_unknown_kind(here: StoreNode, there: StoreNode, locks: MultiFernet) -> None:
    for slug in ("bushy", "richmond"):
        here.accept(slug)
    one, other = bundle.unseal(export(here, locks), locks)
    sealed = bundle.seal([one, replace(other, kind="kayaks")], here.now, locks)
    with pytest.raises(InputRefused, match=f"{other.id} .* does not know"):
        take_in(there, sealed, locks)
    assert there.count() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event": "bushy"}, "beside it: event\\."),
        ({"date": "2013-11-30"}, "beside it: date\\."),
        ({"rows_digest": "sha-256=:x:"}, "beside it: digest of rows\\."),
        ({"finishers": 4}, "beside it: number of finishers\\."),
        ({"submitted_by": "somebody else"}, "beside it: sender\\."),
        ({"event": "bushy", "finishers": 0}, "beside it: event and number of finishers\\."),
        ({"kind": "gossip"}, "a kind that this version of resultsq does not know"),
        ({"base": "x" * 37}, "corrects something that is no submission"),
        ({"base": ""}, "corrects something that is no submission"),
        ({"id": "../../etc"}, "an id that is none"),
        ({"accepted_at": datetime(2013, 12, 7, 12, 5)}, "without a zone"),  # noqa: DTZ001 - it is the fault
    ],
)
def test_nothing_is_taken_when_a_sheet_is_not_what_is_written_beside_it(
    here: StoreNode, there: StoreNode, locks: MultiFernet, changes: dict[str, Any], said: str
) -> None:
    here.accept()
    here.accept("richmond")
    (good, one) = bundle.unseal(export(here, locks), locks)
    wrong = replace(one, **changes)
    with pytest.raises(InputRefused, match=said):
        take_in(there, bundle.seal([good, wrong], here.now, locks), locks)
    assert there.count() == 0, "not even the good one"


@pytest.mark.parametrize("body", [b"{}", b"[", b'{"event": 1}'])
def test_nothing_is_taken_when_a_sheet_is_none(here: StoreNode, locks: MultiFernet, body: bytes) -> None:
    here.accept()
    (one,) = bundle.unseal(export(here, locks), locks)
    other = replace(one, body=body, digest=sheet.digest(body))
    with pytest.raises(InputRefused, match="none that can be read"):
        bundle.unseal(bundle.seal([other], here.now, locks), locks)


def test_nothing_is_taken_when_a_sheet_is_in_it_twice(here: StoreNode, locks: MultiFernet) -> None:
    here.accept()
    (one,) = bundle.unseal(export(here, locks), locks)
    with pytest.raises(InputRefused, match="twice"):
        bundle.unseal(bundle.seal([one, one], here.now, locks), locks)


@pytest.mark.parametrize("count", [-1, MAX_ROWS + 1, 10**30])
def test_it_is_no_bundle_when_a_count_is_beyond_any(here: StoreNode, locks: MultiFernet, count: int) -> None:
    here.accept()
    (one,) = bundle.unseal(export(here, locks), locks)
    with pytest.raises(InputRefused, match="no bundle"):
        bundle.unseal(bundle.seal([replace(one, finishers=count)], here.now, locks), locks)


def test_more_sheets_than_any_bundle_has_are_refused_before_they_are_read(locks: MultiFernet) -> None:
    inside = b'{"submissions": [' + b"{}," * bundle.MOST_SHEETS + b"{}]}"
    with pytest.raises(InputRefused, match="larger than any"):
        bundle.unseal(locks.encrypt(gzip.compress(inside)), locks)


@pytest.mark.parametrize("bound", ["MOST_SHEETS", "LARGEST"])
def test_a_bundle_is_never_larger_than_it_may_be_when_it_is_taken(
    here: StoreNode, locks: MultiFernet, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    here.accept_many(600)
    monkeypatch.setattr(bundle, bound, {"MOST_SHEETS": 450, "LARGEST": 1_280_000}[bound])
    exported = bundle.export(here.database, here.now, locks, [State.QUEUED])
    assert exported.is_full
    assert 450 <= len(bundle.unseal(exported.content, locks)) == exported.count < 600


def test_the_other_node_cannot_say_either_what_the_master_has(
    here: StoreNode, there: StoreNode, locks: MultiFernet
) -> None:
    made = here.accept().id
    take_in(there, export(here, locks), locks)
    with pytest.raises(HeadMoved):
        there.withdraw(made)


@pytest.mark.parametrize("inside", [b"", b"{}", b"[]", b"not packed", b"\x1f\x8b\x08\x00"])
def test_it_is_no_bundle_when_the_key_fits_and_the_content_does_not(inside: bytes, locks: MultiFernet) -> None:
    with pytest.raises(InputRefused, match="no bundle"):
        bundle.unseal(locks.encrypt(inside), locks)


def test_an_old_bundle_opens_when_a_new_key_was_put_before_the_old_one(here: StoreNode, there: StoreNode) -> None:
    here.accept()
    old, new = bundle.new_key(), bundle.new_key()
    content = export(here, bundle.keys(old))
    assert take_in(there, content, bundle.keys(f"{new},{old}")) == (1, 0)


def test_nothing_can_be_read_in_it_without_the_key(here: StoreNode, locks: MultiFernet) -> None:
    made = here.accept()
    content = export(here, locks)
    for secret in (made.id, "bushy", "A1007919"):
        assert secret.encode() not in content


@pytest.mark.parametrize("text", ["", " , ", "short"])
def test_no_bundle_is_made_when_the_keys_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match="BUNDLE_KEYS"):
        bundle.keys(text)
