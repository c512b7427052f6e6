"""The pairs that are walked in each test run, and for each a race that is planted: a guard that is taken away."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, select

from resultsq.store.engine import session
from resultsq.store.engine.tables import Chain
from resultsq.store.outbox import acceptance, bundles, custody, states
from tests.races import race, writers
from tests.races.explorer import Explorer, Walked, name_of
from tests.races.race import Found
from tests.races.writers import Writer
from tests.simulate.planted import an_end_needs_no_lease

Rewrite = Callable[[str, str], str]
_LOCK = re.compile(r"\s+FOR (?:NO KEY )?(?:UPDATE|SHARE)\b.*$", re.DOTALL)


@dataclass(frozen=True)
class Planted:
    """A race: what is said of it, what is sent instead of a writer's statements, and what else is patched."""

    words: str
    rewrite: Rewrite = lambda _writer, statement: statement
    patches: Callable[[], AbstractContextManager[Any]] = ExitStack


@dataclass(frozen=True)
class Pair:
    """Two writers, the states of a chain in which they meet, and the race that is planted in the first of these."""

    first: Writer
    second: Writer
    found: Sequence[Found]
    planted: Planted

    @property
    def name(self) -> str:
        return f"{name_of(self.first)} × {name_of(self.second)}"


def walk(explorer: Explorer, pair: Pair) -> Walked:
    """In all its states."""
    whole = Walked()
    for found in pair.found:
        explorer.enter(found)
        whole.add(explorer.walk(pair.first, pair.second))
    return whole


def find_planted(explorer: Explorer, pair: Pair, planted: Planted) -> Walked:
    """Walk until the planted race is found."""
    explorer.enter(pair.found[0])
    explorer.rewrite = planted.rewrite
    try:
        explorer.alone(pair.first), explorer.alone(pair.second)
        with planted.patches():
            return explorer.walk(pair.first, pair.second, until_broken=True)
    finally:
        explorer.rewrite = NOTHING


NOTHING: Rewrite = lambda _writer, statement: statement  # noqa: E731


def without_locks(*of: Writer) -> Planted:
    """These writers lock no row before they read it."""
    names = {one.__name__ for one in of}

    def rewrite(writer: str, statement: str) -> str:
        return _LOCK.sub("", statement) if writer in names else statement

    return Planted(f"{' and '.join(sorted(names))}: rows are read without a lock", rewrite)


def _unlocked_chain(conn: Connection, kind: str, event_id: int, subject: str, first: str | None = None) -> Any:
    these = (Chain.kind == kind, Chain.event_id == event_id, Chain.subject == subject)
    found = conn.execute(select(Chain.id, Chain.head, Chain.versions).where(*these)).first()
    return found or states.lock_chain(conn, kind, event_id, subject, first)


def _patches() -> ExitStack:
    stack = ExitStack()
    for module in (acceptance, bundles, custody):
        stack.enter_context(patch.object(module, "lock_chain", _unlocked_chain))
    return stack


CHAIN = Planted("a version comes to its chain without the chain's lock", patches=_patches)
LEASE = Planted("an end needs no lease", patches=an_end_needs_no_lease)


def _forgets(writer: str, statement: str) -> str:
    if writer != "claim":
        return statement
    return _LOCK.sub("", statement).replace(
        "UPDATE submissions SET state=", "UPDATE submissions SET hold_id=NULL, state="
    )


HOLD = Planted("claim: rows are read without a lock, and the hold is written back as it was read", _forgets)


def without_transaction(planted: Planted) -> Planted:
    """The same on SQLite, whose transactions stand for all locks."""

    def patches() -> ExitStack:
        stack = ExitStack()
        stack.enter_context(planted.patches())
        stack.enter_context(patch.object(session, "_begin_immediate", lambda _: None))
        return stack

    return Planted(f"{planted.words}, and no transaction is begun", planted.rewrite, patches)


W, R = writers, race
PAIRS: tuple[Pair, ...] = (
    Pair(W.claim, W.claim_by_another, (R.waits, R.is_in_doubt), without_locks(W.claim, W.claim_by_another)),
    Pair(W.claim, W.settle_refused, (R.was_taken_back, R.is_on_its_way), LEASE),
    Pair(W.claim, W.hold, (R.waits, R.is_in_doubt), HOLD),
    Pair(W.accept, W.accept_another, (R.waits, R.is_on_its_way, R.was_refused), CHAIN),
    Pair(W.accept, W.withdraw, (R.waits, R.is_held, R.was_refused), without_locks(W.withdraw)),
    Pair(W.accept, W.adopt, (R.waits, R.met_another), CHAIN),
    Pair(W.accept, W.take_custody, (R.waits, R.is_on_its_way), CHAIN),
    Pair(W.accept, W.publish_over, (R.was_refused, R.met_another), without_locks(W.publish_over)),
    Pair(W.accept, W.hand_back, (R.is_on_its_way, R.is_published_and_corrected), without_locks(W.hand_back)),
    Pair(
        W.accept, W.settle_refused, (R.is_published_and_corrected, R.is_on_its_way),
        without_locks(W.accept, W.settle_refused),
    ),
    Pair(W.hold, W.settle_published, (R.is_on_its_way, R.is_published_and_corrected), without_locks(W.hold)),
    Pair(W.withdraw_by_action, W.claim, (R.waits, R.waits_before_a_bundles), without_locks(W.withdraw_by_action)),
    Pair(W.retry, W.accept, (R.was_refused,), without_locks(W.retry)),
    Pair(W.void, W.settle_published, (R.is_on_its_way, R.is_published_and_corrected), without_locks(W.void)),
    Pair(W.put_aside, W.claim, (R.waits, R.is_in_doubt), without_locks(W.put_aside)),
    Pair(W.prune, W.undo, (R.was_withdrawn_before_a_bundles,), without_locks(W.prune)),
    Pair(W.prune, W.reconcile, (R.was_lost_by_the_master,), without_locks(W.prune)),
    Pair(W.reconcile, W.settle_published, (R.was_lost_by_the_master,), without_locks(W.reconcile, W.settle_published)),
    Pair(W.undo, W.claim, (R.was_withdrawn_before_a_bundles,), without_locks(W.undo)),
    Pair(W.export, W.withdraw, (R.waits, R.waits_before_a_bundles), without_locks(W.export, W.withdraw)),
    Pair(W.hand_on, W.claim, (R.waits,), without_locks(W.hand_on, W.claim)),
    Pair(W.hand_on, W.withdraw, (R.waits, R.waits_before_a_bundles), without_locks(W.hand_on, W.withdraw)),
    Pair(
        W.learn_from_the_relay, W.claim, (R.is_being_handed_on, R.is_at_a_relay),
        without_locks(W.learn_from_the_relay),
    ),
)  # fmt: skip
NO_RACE_ON_SQLITE = {(W.reconcile, W.settle_published)}
"""What is planted there is found on PostgreSQL alone: each statement of the two by itself does no harm."""
