"""The queue: the sole writer of a submission's state.

`accept` stores a version at the end of its chain: the promise. A worker's dispatch cycle settles the attempts that
ended and claims what may be sent next, in one transaction; a claim writes the lease and the attempt's row before
anything is sent. A settlement names its lease: where the lease was taken over, it changes nothing. Only the network
stands between claim and settlement, and whatever the network does, the submission is in this table.

Within a chain (one kind, event and date) at most one version is ever on its way. The others that wait are `blocked`;
when the one on its way is settled, withdrawn or stepped over (upload contract, "Corrections"), the next one goes.

    acceptance.py   a team's submission: accept
    decisions.py    a person's decisions: withdraw and its undo, publish over
    cycle.py        a worker's dispatch cycle: settle, then claim
    leases.py       claim, release, reclaim, void
    settlement.py   settle
    links.py        the link's row: its state, its prober, its outages
    link_health.py  what the attempts that ended say about the link
    bundles.py      export and adopt
    comparison.py   what the master has, against what is here
    repairs.py      damage that faults left behind, and its mending
    faulty_rows.py  rows on which a cycle fails
    aside.py        puts aside what no worker can send, with the reason
    refusals.py     kinds and events that the master refuses our credentials for
    no_event.py     the row for submissions that belong to no event
    rounds.py       the order between events and kinds: they take turns
    chains.py       the order within a chain, the precondition, the head
    states.py       the one place where a state changes, and the chain's lock
    workers.py      which workers live

Who writes a submission's row. Locks are taken in the order given, several of a kind in the order of their key; `link`
is the row that makes workers take turns, `row` the submission itself, `newer` and `base` others of its chain. Where two
wait for each other all the same, PostgreSQL undoes one and it is tried again (session.py). "The next goes" is
`follow_on`. A line changes nothing that it does not name. The caller writes the audit in the same transaction
(actions.py, repairs.py).

writer             from → to                 locks         in the chain                     hold           counts
-----------------  ------------------------  ------------  -------------------------------  -------------  ------
accept             new → queued              chain, head,  it is the head; supersedes the   of what it     versions + 1
                                             hold          one before if the master cannot  supersedes
                                                           have it, else waits for it
adopt              new → queued, in doubt    chain, base   it is the head; supersedes a                    versions + 1
                                                           base that a person was to see;
                                                           waits for what is on its way
withdraw           queued, rejected,         chain, row,   what waits behind it takes its   goes to what   kept for the
                   conflict → withdrawn      hold          place; next goes; head: newest   takes its      undo
                                                                                            place
undo_withdrawal    withdrawn → as it was     chain, row,   what waited behind it waits      as it was, if
                                             newer, base,  again; supersedes what it        in force
                                             hold          corrects; head: newest
publish_over       rejected, conflict →      chain, row,   on what the master has shown;    none is held   failures = 0
                   queued                    newer         waits for an older one; refused
                                                           while a newer one waits
claim              queued → sending          link, row                                      none is held   attempts + 1
hand_back          sending → queued          link, chain,  gives way to a correction, if    stays          attempts − 1
                                             row           not in doubt; next goes
reclaim, void      sending → queued, in      link, row                                      stays
                   doubt, due now
settle  Published  sending → published, or   link, chain,  older published → corrected;     ends           failures = 0
                   corrected if it is late   row           next goes
        PutBack    sending → queued          the same      as hand_back                     stays          failures,
                                                                                                           silences + 1
        Refused    sending → rejected        the same      gives way; next goes             ends
        Clash      sending → queued (again), the same      the version that the master      ends, but for
                   published, conflict,                    has is published; gives way;     queued
                   superseded                              next goes
publish_by_receipt any but published and     (caller:      as Published; what was gone may  ends           failures = 0
                   corrected → published     chain, row)   be the head again
export             queued: in doubt          row                                            stays          attempts + 1
bring_in_line      as publish_by_receipt;    chain, all    what was lost goes in its old    none is held   failures = 0
                   published, corrected →    its rows      order, and then what waits;                     of a conflict
                   queued, in doubt;                       next goes
                   conflict → queued
put_aside          queued, sending →         row                                            one of its     failures,
                   queued                                                                   own            silences = 0
restore            queued: in doubt, due     none: alone                                    stays
(backup.py)        now; given up: in doubt
actions: hold,     queued, sending           row, hold                                      set, or ended
release
actions: retry     queued: due now           row                                            none is held
release_from_link  queued: due now           link, row                                      none is held   failures = 0
mend_stepped_clock queued: due now           row                                            none is held
repairs            queued                    chain, row    next goes; head: newest; a base  ends if it
                                                           by the id that the master knows  was released
prune              its sheet goes            chain, row    what is published or gone only
"""

from resultsq.store.outbox.acceptance import Acknowledgement, Entry, File, accept, forget_client_keys
from resultsq.store.outbox.aside import count_aside, put_aside
from resultsq.store.outbox.bundles import BundledVersion, adopt, bundled_size, export, waits_behind
from resultsq.store.outbox.chains import follow_on, in_force, place_on, set_head
from resultsq.store.outbox.comparison import Open, Question, Reconciled, bring_in_line, open_questions, send_lost_again
from resultsq.store.outbox.decisions import publish_over, undo_withdrawal, withdraw
from resultsq.store.outbox.leases import (
    Lease,
    Queue,
    claim,
    claim_these,
    claimable,
    lease_s,
    leased,
    look,
    mend_stepped_clock,
    put_off,
    reclaim,
    release_from_link,
    release_leases,
    take_back,
    unknown_leases,
    void_leases,
    waits_too_long,
)
from resultsq.store.outbox.refusals import REFUSED_WAIT_S
from resultsq.store.outbox.rounds import lane_of
from resultsq.store.outbox.settlement import (
    Clash,
    Published,
    PutBack,
    Refused,
    Settled,
    Settlement,
    publish_by_receipt,
    settle,
)
from resultsq.store.outbox.states import lock_all

__all__ = [
    "REFUSED_WAIT_S",
    "Acknowledgement",
    "BundledVersion",
    "Clash",
    "Entry",
    "File",
    "Lease",
    "Open",
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
    "bundled_size",
    "claim",
    "claim_these",
    "claimable",
    "count_aside",
    "export",
    "follow_on",
    "forget_client_keys",
    "in_force",
    "lane_of",
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
    "release_leases",
    "send_lost_again",
    "set_head",
    "settle",
    "take_back",
    "undo_withdrawal",
    "unknown_leases",
    "void_leases",
    "waits_behind",
    "waits_too_long",
    "withdraw",
]
