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
    candidates.py   the submissions that may be claimed next
    leases.py       claim, release, reclaim, void
    waits.py        ends the waits of submissions that were put off
    settlement.py   settle
    publication.py  the master has it: its receipt, and the older versions
    links.py        the link's row: its state, its prober, its outages
    link_health.py  reads and writes the link's health (the judgement: domain/link_health.py)
    bundles.py      export and adopt
    custody.py      what other nodes handed to this one
    handovers.py    what this node hands to a relay
    comparison.py   the master's list against this node's
    repairs.py      damage that faults left behind, and its mending
    faulty_rows.py  rows on which a cycle fails
    aside.py        puts aside what no worker can send, with the reason
    refusals.py     kinds and events that the master refuses our credentials for
    no_event.py     the row for submissions that belong to no event
    digests.py      the digests of finishers that version 0.1 did not write
    rounds.py       the order between events and kinds: they take turns
    chains.py       the order within a chain, the precondition, the head
    states.py       the one place where a state changes, and the chain's lock
    state_sums.py   adds up what the database notes of changes of state
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
release_leases     sending → queued          link, chain,  gives way to a correction, if    stays          attempts − 1
                                             row           not in doubt; next goes
note_departure     sending: in doubt         row                                            none is held
                   (mails, by their lease)
reclaim, void      sending → queued, in      link, row                                      stays
                   doubt (a mail: as it
                   is), due now
settle: Accepted   sending → published, or   link, chain,  older published → corrected;     ends           failures = 0
                   corrected if it is late   row           next goes
      Deferred,    sending → queued          the same      as release_leases                stays          failures,
      Unauthorised                                                                                         silences + 1
      Rejected     sending → rejected        the same      gives way; next goes             ends
      Conflict     sending → queued (again), the same      the version that the master      ends, but for
                   published, conflict,                    has is published; gives way;     queued
                   superseded                              next goes
publish_by_receipt any but published and     (caller:      as Accepted; what was gone may  ends           failures = 0
                   corrected → published     chain, row)   be the head again
export             queued: in doubt          row                                            stays          attempts + 1
hand on (begin,    queued: in doubt, or as   row                                            none is held   attempts + 1
take_back)         it was
settle_as          queued → as settle        chain, row    as settle                        as settle      attempts + 1
bring_in_line      as publish_by_receipt;    chain, all    what was lost goes in its old    none is held   failures = 0
                   published, corrected →    its rows      order, and then what waits;                     of a conflict
                   queued, in doubt;                       next goes; what is being sent
                   conflict → queued                       waits behind it, if it comes
                                                           back and is not in doubt
put_aside          queued, sending →         row                                            one of its     failures,
                   queued                                                                   own            silences = 0
restore            queued: in doubt, due     none: alone                                    stays
(backup.py)        now; given up: in doubt
                   (a mail: as it is)
actions: hold,     queued, sending           row, hold                                      set, or ended
release
actions: retry     queued: due now           row                                            none is held
release_from_link  queued: due now           link, row                                      none is held   failures = 0
mend_stepped_clock queued: due now           row                                            none is held
repairs            queued; queued, conflict  chain, row    next goes; head: newest; a base  ends if it
                   → corrected, superseded                 by the id that the master        was released
                   below a newer published                 knows
                   one; given up: in doubt
fill (digests.py)  its finishers' digest     row
prune              its sheet goes            chain, row    only published or gone ones
"""

from resultsq.store.outbox.acceptance import Acknowledgement, Entry, File, accept, forget_client_keys
from resultsq.store.outbox.aside import count_aside, put_aside
from resultsq.store.outbox.bundles import BundledVersion, adopt, bundled_size, export, waits_behind
from resultsq.store.outbox.candidates import claimable, look
from resultsq.store.outbox.chains import follow_on, in_force, place_on, set_head
from resultsq.store.outbox.comparison import Open, Question, Reconciled, bring_in_line, open_questions, send_lost_again
from resultsq.store.outbox.decisions import publish_over, undo_withdrawal, withdraw
from resultsq.store.outbox.leases import (
    Lease,
    claim,
    claim_these,
    lease_s,
    leased,
    note_departure,
    reclaim,
    release_leases,
    take_back,
    unknown_leases,
    void_leases,
)
from resultsq.store.outbox.publication import publish_by_receipt
from resultsq.store.outbox.rounds import lane_of
from resultsq.store.outbox.settlement import Settled, settle
from resultsq.store.outbox.states import lock_all
from resultsq.store.outbox.waits import mend_stepped_clock, put_off, release_from_link, waits_too_long

__all__ = [
    "Acknowledgement",
    "BundledVersion",
    "Entry",
    "File",
    "Lease",
    "Open",
    "Question",
    "Reconciled",
    "Settled",
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
    "note_departure",
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
