"""The writers of a submission's row: each does its work in one transaction, and returns nothing where it finds nothing
to do. The outbox package lists them, and what each may do."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from resultsq.delivery import sender
from resultsq.domain.outcome import Outcome
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import actions, holding, retention
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import Lease, custody, cycle, digests, handovers, links, repairs
from resultsq.store.outbox.custody import Holder
from tests.races.race import Race
from tests.support.nodes import CEILING, rejected, unsent

Writer = Callable[[Connection, Race], object]
THERE = (State.PUBLISHED, State.CORRECTED)


def accept(conn: Connection, race: Race) -> object:
    return outbox.accept(conn, race.node.now, race.node.entry(rows=7, if_match=race.ids[-1])).created


def accept_another(conn: Connection, race: Race) -> object:
    """Another team's correction of the same version."""
    return outbox.accept(conn, race.node.now, race.node.entry(rows=6, if_match=race.ids[-1])).created


def adopt(conn: Connection, race: Race) -> object:
    return outbox.adopt(conn, race.node.now, race.adopted(8, None), race.node.events["bushy"])


def adopt_a_correction(conn: Connection, race: Race) -> object:
    return outbox.adopt(conn, race.node.now, race.adopted(9, race.ids[0]), race.node.events["bushy"])


def withdraw(conn: Connection, race: Race) -> object:
    return outbox.withdraw(conn, race.node.now, race.ids[0])


def withdraw_the_newest(conn: Connection, race: Race) -> object:
    return outbox.withdraw(conn, race.node.now, race.ids[-1])


def undo(conn: Connection, race: Race) -> object:
    withdrawn = select(Submission.seq).where(Submission.id == race.ids[0], Submission.state == State.WITHDRAWN)
    found = conn.execute(withdrawn).first()
    outbox.undo_withdrawal(conn, race.node.now, race.ids[0])
    return found


def publish_over(conn: Connection, race: Race) -> object:
    return outbox.publish_over(conn, race.node.now, race.ids[-1])


def export(conn: Connection, race: Race) -> object:
    parted, _ = outbox.export(conn, race.node.now, [State.QUEUED], "bundle")
    race.parted += [one.id for one in parted]
    return parted


def claim(conn: Connection, race: Race) -> object:
    return _claim(conn, race, "w2")


def claim_by_another(conn: Connection, race: Race) -> object:
    return _claim(conn, race, "w3")


def _claim(conn: Connection, race: Race, worker: str) -> object:
    taken = cycle.run_cycle(conn, race.node.now, worker, [], CEILING, CEILING)
    race.taken += taken.leases
    return taken.leases


def _settle(conn: Connection, race: Race, outcome: Callable[[Lease], Outcome]) -> object:
    ends = [sender.settlement(lease, outcome(lease), 0.1, 0.5) for lease in race.leases]
    return [one for one in cycle.run_cycle(conn, race.node.now, "w1", ends, 0, CEILING).settled if one.state]


def settle_published(conn: Connection, race: Race) -> object:
    return _settle(conn, race, race.publish)


def settle_refused(conn: Connection, race: Race) -> object:
    return _settle(conn, race, lambda _: rejected())


def settle_unsent(conn: Connection, race: Race) -> object:
    return _settle(conn, race, lambda _: unsent())


def hand_back(conn: Connection, race: Race) -> object:
    cycle.run_cycle(conn, race.node.now, "w1", [], 0, CEILING, 0, [lease.lease for lease in race.leases])
    return race.leases


def void(conn: Connection, race: Race) -> object:
    """The leases of a worker that is gone."""
    links.lock(conn)
    return outbox.void_leases(conn, race.node.now, "w1")


def learn_from_the_list(conn: Connection, race: Race) -> object:
    """The master has the first version: it came by another way. What is being sent is left to its sender."""
    first = Submission.id == race.ids[0]
    outbox.lock_all(conn, first)
    row = conn.execute(select(Submission).where(first)).one()
    if row.state != State.QUEUED or race.there not in ([], [row.id]):
        return None
    race.there[:] = [row.id]
    outbox.publish_by_receipt(conn, race.node.now, [(row, race.receipt(row.id, row.digest))])
    return row


def reconcile(conn: Connection, race: Race) -> object:
    """The comparison with the master's list."""
    rows = conn.execute(select(Submission).order_by(Submission.version)).all()
    has = {row.id: race.receipt(row.id, row.digest) for row in rows if row.id in race.there}
    gone = {row.published_as for row in rows if row.state in THERE} - set(race.there)
    done = outbox.bring_in_line(conn, race.node.now, rows[0].chain_id, has, gone)
    return done.settled + done.lost + done.resumed


def put_aside(conn: Connection, race: Race) -> object:
    """A worker cannot read the row."""
    seqs: Sequence[int] = conn.execute(select(Submission.seq).where(Submission.id == race.ids[0])).scalars().all()
    outbox.put_aside(conn, race.node.now, seqs, "its row cannot be read")
    return seqs


def prune(conn: Connection, race: Race) -> object:
    return retention.prune_some(conn, race.node.now + timedelta(hours=1)).submissions


def hold(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.HOLD)


def release(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.RELEASE)


def retry(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.RETRY)


def withdraw_by_action(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.WITHDRAW)


def _act(conn: Connection, race: Race, verb: actions.Verb) -> object:
    """The only piece of an action, which was begun before."""
    actions.advance(conn, race.node.now, race.begun[verb])
    done = actions.progress(conn, race.begun[verb])
    return None if done is None else done.done


def hold_the_event(conn: Connection, race: Race) -> object:
    return holding.place_hold(conn, race.node.now, "op", race.node.events["bushy"], "a test")


def release_the_event(conn: Connection, race: Race) -> object:
    if race.found_hold is None:
        return None
    holding.release_hold(conn, race.node.now, "op", race.found_hold)
    return race.found_hold


def fill_digests(conn: Connection, race: Race) -> object:
    rows = conn.execute(select(Submission.seq).where(Submission.id.in_(race.ids))).scalars().all()
    digests.fill(conn, dict.fromkeys(rows, "a digest"))
    return rows


def mend(conn: Connection, race: Race) -> object:
    return sum(repairs.mend_some(conn, race.node.now, "op", repair) for repair in repairs.REPAIRS)


def hand_on(conn: Connection, race: Race) -> object:
    return race.hand_on(conn)


def is_kept_by_the_relay(conn: Connection, race: Race) -> object:
    for call in race.handed:
        handovers.kept(conn, race.node.now, call.seq, 30)
    return race.handed


def is_refused_by_the_relay(conn: Connection, race: Race) -> object:
    """It took nothing, and said so in the answer to the first call."""
    if not race.handed or any(call.kept for call in race.handed):
        return None
    for call in race.handed:
        handovers.take_back(conn, race.node.now, call.seq)
        race.parted.remove(call.parcel.submission)
    return race.handed


def learn_from_the_relay(conn: Connection, race: Race) -> object:
    """The relay has published the first that it has, or the master did not take it."""
    if not race.handed:
        return None
    call = race.handed[0]
    outcome = race.publish_parcel(call)
    return handovers.settle_as(conn, race.node.now, call, outcome, False)


def take_custody(conn: Connection, race: Race) -> object:
    holder, event_id = Holder(race.token, "laptop"), race.node.events["bushy"]
    return custody.take_custody(conn, race.node.now, race.adopted(8, None), event_id, holder)


WRITERS: tuple[Writer, ...] = (
    accept, accept_another, adopt, adopt_a_correction, withdraw, withdraw_the_newest, undo, publish_over, export, claim,
    claim_by_another, settle_published, settle_refused, settle_unsent, hand_back, void, learn_from_the_list, reconcile,
    put_aside, prune, hold, release, retry, withdraw_by_action, hold_the_event, release_the_event, mend, fill_digests,
    hand_on, is_kept_by_the_relay, is_refused_by_the_relay, learn_from_the_relay, take_custody,
)  # fmt: skip
OF_ONE_WORKER = {settle_published, settle_refused, settle_unsent, hand_back}
"""A lease ends in one way."""


def named(name: str) -> Any:
    """The writer of that name."""
    return next(one for one in WRITERS if getattr(one, "__name__", "") == name)


SIBLINGS: dict[Writer, Writer] = {claim_by_another: claim, accept_another: accept}
"""Writers that do as another one does, and meet that one alone."""
