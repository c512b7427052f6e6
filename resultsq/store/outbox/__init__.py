"""The queue: the sole writer of a submission's state.

The story: `accept` stores a version at the end of its chain: the promise. A worker's turn (turn.py) settles
what its couriers brought back and claims what may go next, in one transaction; a claim writes the lease and
the attempt's row before anything is sent. A settle names its lease: one whose lease was taken over changes
nothing. Between the two stands only the network, and whatever it does, the submission is in this table.

Within a chain (one kind, event and date) at most one version is ever on its way. The others that wait are `blocked`;
when the one on its way is settled, withdrawn or stepped over (upload contract, "Corrections"), the next one goes.

    team.py       what a team does: accept
    decisions.py  what a person decides: withdraw and its undo, publish over
    leases.py     what a worker takes: claim, hand back, reclaim, void
    endings.py    what a worker brings back: settle
    roads.py      what leaves and comes in bundles
    comparison.py what the master has and has not
    aside.py      what no worker can go on with: it is held, and says why
    chains.py     the order within a chain: whose turn it is, its precondition, the head
    states.py     the one place where a state changes, and the chain's lock
"""

from resultsq.store.outbox.aside import count_aside, put_aside
from resultsq.store.outbox.chains import follow_on, place_on, set_head
from resultsq.store.outbox.comparison import (
    Open,
    Question,
    Reconciled,
    bring_in_line,
    open_questions,
    send_lost_again,
)
from resultsq.store.outbox.decisions import publish_over, undo_withdrawal, withdraw
from resultsq.store.outbox.endings import (
    Clash,
    Published,
    PutBack,
    Refused,
    Settled,
    Settlement,
    publish_by_receipt,
    settle,
)
from resultsq.store.outbox.leases import (
    REFUSED_WAIT_S,
    Lease,
    Queue,
    claim,
    claim_these,
    claimable,
    hand_back,
    lease_s,
    leased,
    look,
    mend_stepped_clock,
    put_off,
    reclaim,
    release_from_link,
    take_back,
    void_leases,
    waits_too_long,
)
from resultsq.store.outbox.roads import Parted, adopt, export
from resultsq.store.outbox.states import lock_all
from resultsq.store.outbox.team import Accepted, Entry, File, accept, forget_client_keys

__all__ = [
    "REFUSED_WAIT_S",
    "Accepted",
    "Clash",
    "Entry",
    "File",
    "Lease",
    "Open",
    "Parted",
    "Published",
    "PutBack",
    "Question",
    "Queue",
    "Reconciled",
    "Refused",
    "Settled",
    "Settlement",
    "accept",
    "adopt",
    "bring_in_line",
    "claim",
    "claim_these",
    "claimable",
    "count_aside",
    "export",
    "follow_on",
    "forget_client_keys",
    "hand_back",
    "lease_s",
    "leased",
    "lock_all",
    "look",
    "mend_stepped_clock",
    "open_questions",
    "place_on",
    "publish_by_receipt",
    "publish_over",
    "put_aside",
    "put_off",
    "reclaim",
    "release_from_link",
    "send_lost_again",
    "set_head",
    "settle",
    "take_back",
    "undo_withdrawal",
    "void_leases",
    "waits_too_long",
    "withdraw",
]
