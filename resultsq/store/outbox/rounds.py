"""Events and kinds take turns: in each round of claims one submission of each event and kind goes, or as many as the
kind's weight says.

A submission is given its round when it comes: the one after that of its event's last of this kind, if that one still
waits, and else the round from which claims are taken now. So one event's thousands lie in thousands of rounds, and
another's single one in the next. What belongs to no event takes turns as one: 50,000 mails cost results one turn. A
kind that has patience begins some rounds later, so results go before all else that waits for the link. The order is in
the rows and in their index: to find the next costs the same however many wait.

Each return of the link begins an epoch, and rounds go on counting. Claims choose among the earlier epochs by rounds
(candidates.py), so a flood in one does not delay the others, and results of all of them go before what has patience.
Other transactions may change these rows meanwhile; then two may have one round, or one comes a round late, and no
more."""

from typing import Any

from sqlalchemy import func, literal_column, or_, select, union_all
from sqlalchemy.orm import aliased

from resultsq.domain.submission import WAITING
from resultsq.store.engine.tables import Link, Submission


def lane_of(event_id: int, kind: str) -> str:
    """What takes turns as one. In one column, so that there is one index by which its last is found."""
    return f"{event_id} {kind}"


def place_in_order(lane: Any, before_it: int, destination: Any, patience: int = 0) -> dict[str, Any]:
    """The values of `epoch` and `round` for a new submission of this lane, for its INSERT. `before_it`: how many more
    of it share a round: the kind's weight, less one. `patience`: how many rounds later its kind begins. `destination`:
    whose rounds they are."""
    before = aliased(Submission)
    last = (
        select(before.state, before.epoch, before.round)
        # between, not equal: else PostgreSQL may look for it from the newest submission on, whosever they are
        .where(before.lane.between(lane, lane))
        .order_by(before.lane.desc(), before.seq.desc())
        .limit(1)
        .offset(before_it)
        .subquery()
    )
    epoch = select(Link.epoch).where(Link.name == destination).scalar_subquery()
    now = select((Link.round + literal_column(str(patience))).label("round")).where(Link.name == destination)
    behind = select(last.c.round + 1).where(
        or_(*(last.c.state == state for state in sorted(WAITING))), last.c.epoch == epoch
    )
    rounds = union_all(now, behind).subquery()
    return {
        "epoch": func.coalesce(epoch, 0),
        "round": select(func.coalesce(func.max(rounds.c.round), 0)).scalar_subquery(),
    }
