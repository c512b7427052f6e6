"""Faults that are planted in the product, one at a time: a simulation that finds none of them proves nothing.

`SEEDS` names each with a seed that finds it. That seed keeps every promise without the fault."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, and_, false, update

from resultsq.delivery import reconcile
from resultsq.delivery.masters import answers, http
from resultsq.delivery.masters.answers import Answer
from resultsq.domain import submission
from resultsq.domain.errors import ResultsqError, StoreUnavailable, StoreUnsure
from resultsq.domain.outcome import Accepted, Conflict, Deferred, Outcome, Receipt
from resultsq.domain.ports import Parcel
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import actions, comparisons
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import (
    acceptance,
    candidates,
    chains,
    comparison,
    decisions,
    leases,
    links,
    publication,
    settlement,
    states,
)
from resultsq.store.outbox.chains import ChainPlace
from resultsq.web import errors
from tests.simulate.disk import SteppedDatabase

T = TypeVar("T")
Patch = AbstractContextManager[Any]


def _all(*patches: Patch) -> ExitStack:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack


def _made_up(parcel: Parcel, now: datetime) -> Accepted:
    made = Receipt(submission=parcel.submission, revision=1, digest=parcel.digest, received_at=now)
    return Accepted(made.model_copy(update={"event": parcel.event, "date": parcel.date}))


def any_200_is_a_receipt() -> Patch:
    real = answers.of_put

    def of_put(answer: Answer, parcel: Parcel, now: datetime) -> Outcome:
        said = real(answer, parcel, now)
        return _made_up(parcel, now) if answer.status in (200, 201) and isinstance(said, Deferred) else said

    return patch.object(answers, "of_put", of_put)


def any_412_is_a_success() -> Patch:
    real = answers.of_put

    def of_put(answer: Answer, parcel: Parcel, now: datetime) -> Outcome:
        said = real(answer, parcel, now)
        return _made_up(parcel, now) if isinstance(said, Conflict) else said

    return patch.object(answers, "of_put", of_put)


def any_404_is_a_refusal() -> Patch:
    real = answers.problem_of
    return patch.object(answers, "problem_of", lambda answer: real(answer) or {"title": "Not found", "status": 404})


def a_503_means_that_nothing_happened() -> Patch:
    real = answers._later

    def later(answer: Answer, now: datetime) -> Deferred | None:
        said = real(answer, now)
        return said and replace(said, in_doubt=False)

    return _all(patch.object(answers, "_later", later), _doubt_as_told())


def _doubt_as_told() -> Patch:
    return patch.object(settlement, "_is_in_doubt", lambda row, deferred: row.in_doubt or deferred.in_doubt)


def a_repeat_has_an_id_of_its_own() -> Patch:
    real = http.put_headers

    def put_headers(parcel: Parcel) -> dict[str, str]:
        id_ = str(uuid5(NAMESPACE_URL, parcel.submission)) if parcel.in_doubt else parcel.submission
        return real(replace(parcel, submission=id_))

    return patch.object(http, "put_headers", put_headers)


class _Undone(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


def _undoing(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    def undone(conn: Connection) -> T:
        raise _Undone(work(conn))

    return undone


def a_commit_that_failed_is_not_noticed() -> Patch:
    """Of each eleven writes one is undone."""
    real, writes = Database._write_sqlite, [0]

    def write(self: Database, work: Callable[[Connection], T]) -> T:
        writes[0] += 1
        try:
            return real(self, _undoing(work) if writes[0] % 11 == 0 else work)
        except _Undone as end:
            return end.value  # type: ignore[return-value]  # it is what `work` returned

    return patch.object(Database, "_write_sqlite", write)


def an_acceptance_is_acknowledged_before_its_commit() -> Patch:
    real = SteppedDatabase.write

    def write(self: SteppedDatabase, work: Callable[[Connection], T], what: Any = "other") -> T:
        if what != "accept":
            return real(self, work, what)
        try:
            Database.write(self, _undoing(work), what)
        except _Undone as end:
            try:
                return real(self, work, what)
            except StoreUnavailable:
                return end.value  # type: ignore[return-value]
        raise AssertionError("unreachable")

    return patch.object(SteppedDatabase, "write", write)


def an_end_needs_no_lease() -> Patch:
    """An attempt is settled whoever has its submission by now, and whether anybody has."""
    real = outbox.settle

    def settle(conn: Connection, now: datetime, ends: list[Settlement]) -> Any:
        mine = [one.lease for one in ends]
        for one in ends:
            conn.execute(update(Submission).where(Submission.seq == one.seq).values(lease=one.lease))
        done = real(conn, now, ends)
        conn.execute(update(Submission).where(Submission.lease.in_(mine)).values(lease=None))
        return done

    return patch.object(outbox, "settle", settle)


def results_are_published_as_they_arrive() -> Patch:
    """Whatever the master shows, these results go on top of it."""
    real = settlement._conflict

    def conflict(conn: Connection, now: datetime, row: Any, said: Conflict, rows_digest: str | None) -> Any:
        if said.head == row.base:
            return real(conn, now, row, said, rows_digest)
        states.move(conn, now, [row.seq], State.QUEUED, base=said.head, next_attempt_at=None, in_doubt=False)
        return State.QUEUED, True

    return patch.object(settlement, "_conflict", conflict)


def the_clock_is_trusted() -> Patch:
    def passed(until: datetime | None, length_s: float, now: datetime, slack_s: float = 0.0) -> bool:
        return until is None or now >= until

    return _all(
        patch.object(leases, "passed", passed),
        patch.object(candidates, "passed", passed),
        patch.object(links, "passed", passed),
        patch.object(outbox, "mend_stepped_clock", lambda *_: 0),
    )


def a_claim_does_not_ask_for_holds() -> Patch:
    with patch.object(candidates, "_IN_FORCE", false()):
        return _claiming()


def a_lease_is_never_taken_back() -> Patch:
    nothing = lambda *_: None  # noqa: E731
    return _all(patch.object(leases, "reclaim", nothing), patch.object(outbox, "reclaim", nothing))


def a_lost_answer_leaves_no_doubt() -> Patch:
    return patch.object(settlement, "_is_in_doubt", lambda row, deferred: False)


def a_dead_worker_leaves_no_doubt() -> Patch:
    return patch.object(leases, "MAY_HAVE_LEFT", Submission.in_doubt)


def a_cut_call_leaves_no_doubt() -> Patch:
    real = http._deferred
    return patch.object(http, "_deferred", lambda failed, *, in_doubt: real(failed, in_doubt=False))


def a_correction_does_not_wait() -> Patch:
    real = chains.place_after

    def place_after(*about: Any) -> ChainPlace:
        return replace(real(*about), blocked=False)

    return patch.object(acceptance, "place_after", place_after)


def an_undone_withdrawal_does_not_wait() -> Patch:
    return patch.object(decisions, "_back_in_line", lambda conn, now, chain, row, *_: ChainPlace(row.base, False))


def nothing_follows_a_version_that_ended() -> Patch:
    modules = (chains, settlement, publication, decisions, leases)
    return _all(*(patch.object(module, "follow_on", lambda *_: None) for module in modules))


def a_withdrawal_asks_for_no_doubt() -> Patch:
    real = decisions._locked

    class NoDoubt:
        def __init__(self, row: Any) -> None:
            self._row = row
            self.in_doubt = False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._row, name)

    def locked(conn: Connection, submission: str) -> Any:
        chain, row = real(conn, submission)
        return chain, NoDoubt(row)

    return patch.object(decisions, "_locked", locked)


def what_is_being_sent_can_be_withdrawn() -> Patch:
    real = submission.may_move

    def may_move(old: Any, new: Any) -> bool:
        return real(old, new) or (str(old), str(new)) == ("sending", "withdrawn")

    return _all(*(patch.object(module, "may_move", may_move) for module in (states, decisions)))


def the_release_of_a_hold_releases_nothing() -> Patch:
    return patch.object(actions, "release_held", lambda *_: None)


def a_withdrawal_is_not_written() -> Patch:
    real = states.move

    def move(conn: Connection, now: datetime, seqs: Any, to: State, **values: Any) -> None:
        if to is not State.WITHDRAWN:
            real(conn, now, seqs, to, **values)

    return patch.object(decisions, "move", move)


def an_unsure_commit_is_called_a_failure() -> Patch:
    statuses: dict[type[ResultsqError], int] = {StoreUnsure: 507, **errors._STATUS}
    return patch.object(errors, "_STATUS", statuses)


def a_claim_takes_what_waits_behind_another() -> Patch:
    with patch.object(candidates, "_WAITS", and_(Submission.state == State.QUEUED, Submission.hold_id.is_(None))):
        return _claiming()


def _claiming() -> Patch:
    """The queries of a claim, made of the conditions as they are just now."""
    names = {"_OLD": "_FROM_THEN", "_BEFORE": "_FROM_BEFORE", "_FRESH": "_FROM_AFTER", "_AGAIN": "_DUE_AGAIN"}
    queries = [candidates._candidates(getattr(candidates, where)) for where in names.values()]
    return _all(*(patch.object(candidates, name, query) for name, query in zip(names, queries, strict=True)))


def the_head_stays_where_it_was() -> Patch:
    modules = (chains, decisions, publication)
    return _all(*(patch.object(module, "set_head", lambda *_: None) for module in modules))


def a_receipt_shows_another_revision() -> Patch:
    real = publication.received

    def received(row: Any, receipt: Receipt, *more: Any) -> Any:
        found = real(row, receipt, *more)
        return replace(found, head=found.head.model_copy(update={"revision": found.head.revision + 1}))

    return _all(*(patch.object(module, "received", received) for module in (publication, settlement)))


def nothing_is_compared_with_the_master() -> Patch:
    return patch.object(reconcile, "by_itself", lambda *_: None)


def revisions_tell_which_version_is_newer() -> Patch:
    """As it was before seed 98."""
    return patch.object(
        comparison, "in_their_order", lambda rows, _: sorted(rows, key=lambda row: (row.revision or 0, row.version))
    )


def what_is_later_than_now_is_new() -> Patch:
    """As it was before seed 98 of hasty teams."""
    later = lambda now: Submission.published_at >= now - comparison.LISTED_AFTER  # noqa: E731
    return _all(*(patch.object(module, "just_now", later) for module in (comparison, comparisons)))


def a_clients_key_is_forgotten() -> Patch:
    return patch.object(acceptance, "_by_client_key", lambda *_: None)


SEEDS: dict[Callable[[], Patch], int] = {
    any_200_is_a_receipt: 26,
    any_412_is_a_success: 9,
    a_lost_answer_leaves_no_doubt: 59,
    a_repeat_has_an_id_of_its_own: 3,
    a_commit_that_failed_is_not_noticed: 0,
    an_acceptance_is_acknowledged_before_its_commit: 5,
    the_clock_is_trusted: 8,
    an_unsure_commit_is_called_a_failure: 29,
    a_clients_key_is_forgotten: 2,
    nothing_is_compared_with_the_master: 5,
    a_claim_does_not_ask_for_holds: 10,
    a_claim_takes_what_waits_behind_another: 5,
    a_lease_is_never_taken_back: 17,
    a_correction_does_not_wait: 5,
    an_undone_withdrawal_does_not_wait: 11,
    nothing_follows_a_version_that_ended: 5,
    a_withdrawal_is_not_written: 3,
    what_is_being_sent_can_be_withdrawn: 6,
    the_head_stays_where_it_was: 3,
    a_receipt_shows_another_revision: 1,
    an_end_needs_no_lease: 2,
    results_are_published_as_they_arrive: 4,
}
"""A seed that finds each, as a run of many has it."""

SOUGHT: tuple[Callable[[], Patch], ...] = (
    any_404_is_a_refusal,
    a_withdrawal_asks_for_no_doubt,
    a_503_means_that_nothing_happened,
    a_dead_worker_leaves_no_doubt,
    a_cut_call_leaves_no_doubt,
    the_release_of_a_hold_releases_nothing,
    revisions_tell_which_version_is_newer,
    what_is_later_than_now_is_new,
)
"""Those that no seed has found so far: mornings are not harsh enough for them yet."""
