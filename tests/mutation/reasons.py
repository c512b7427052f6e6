"""Changes to the code that tests let pass, and why."""

from functools import cache
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]

_DOMAIN, _RESULTS = "resultsq.domain", "resultsq.kinds.results"
_OUTBOX, _DELIVERY = "resultsq.store.outbox", "resultsq.delivery"

_WHOLE = (
    "whole = select(stored.c.seq, 1 / case((over, 0), else_=1)).select_from(stored.join(used, true())).add_cte(kept)"
)
_ONE_ANSWER = "a probe has one answer, so none that failed has the number of one that was good"
_ANY_PIECES = "the same is done in pieces of any size"
_HOW_MANY = "how many is a choice; what happens beyond it is tested"
_HOW_LONG = "how long is a choice; what happens then is tested"
_FIRST_ROW = "only the first row is read: it only costs time"
_SUBQUERY = "SQLite reads the first row of a subquery; PostgreSQL, which takes no second one, fails in each test"
_SKIPS = "SQLite has one writer at a time, and locks no rows"
_SAME_WORDS = "either dialect's INSERT is written in the words of the connection's own"
_LOCKS_NOTHING = "SQLite has one writer at a time: more is read there, and nothing is locked"

REASONS: dict[tuple[str, str, str], str] = {
    (f"{_DOMAIN}.backoff", "return min(cap_s, base_s * 2.0 ** min(failures - 1, 60))", "60 → 61"): (
        "either is longer than any cap"
    ),
    (
        f"{_DOMAIN}.clock_trust",
        "behind_s = 0.0 if newest_at is None else (newest_at - now).total_seconds()",
        "0.0 → 1.0",
    ): "either is within the slack",
    (f"{_DOMAIN}.code128", "QUIET = 10", "10 → 11"): "a wider margin is as good",
    (
        f"{_DOMAIN}.collation",
        "_FIRST_GREEK = 0x370",
        "880 → 881",
    ): "that letter is a capital, and its small one follows",
    (f"{_DOMAIN}.collation", "_BEHIND_ALL_MARKS = 0x400", "1024 → 1025"): "it only has to be higher than each mark",
    (f"{_DOMAIN}.collation", "case: int = 0", "0 → 1"): "each part that has a letter is given its case",
    (
        f"{_DOMAIN}.collation",
        '(_KANA_RANK if code == "ja" else _OTHERS, ord(large)), case=2 * (large == hiragana) + (hiragana != one)',
        "2 → 3",
    ): "only the order of these numbers is used",
    (f"{_DOMAIN}.collation", "nth, level = nth + 1, 0", "1 → 2"): "only the order of these numbers is used",
    (f"{_DOMAIN}.collation", "nth = level = 0", "0 → 1"): "only the order of these numbers is used",
    (
        f"{_DOMAIN}.collation",
        "marks = (0, level + behind * _BEHIND_ALL_MARKS) if level > 0 else (level,)",
        "0 → 1",
    ): "only the order of these numbers is used",
    (
        f"{_DOMAIN}.collation",
        "return (_SIGN, _SIGNS.find(one) if one in _SIGNS else ord(one) + len(_SIGNS))",
        "ord(one) + len(_SIGNS) → ord(one) - len(_SIGNS)",
    ): "the number of any other sign is higher than their count either way",
    (f"{_DOMAIN}.delays", "return self.percentile_s(1.0)", "1.0 → 2.0"): "no more than all are counted",
    (f"{_DOMAIN}.destinations", "close = difflib.get_close_matches(scheme, schemes, n=1)", "1 → 2"): (
        "the best comes first, and only that one is used"
    ),
    (
        f"{_DOMAIN}.invalid",
        "for one in error.errors(include_url=False, include_input=False)",
        "False → True",
    ): "neither is read: it only costs time",
    (
        f"{_DOMAIN}.invalid",
        "for one in error.errors(include_url=False, include_input=False)",
        "False → True, number 2 there",
    ): "neither is read: it only costs time",
    (
        f"{_DOMAIN}.invalid",
        "for start in range(0, max(1, *map(len, lists.values()), 0), _PIECE):",
        "1 → 2",
    ): "one piece is looked at in either case",
    (
        f"{_DOMAIN}.invalid",
        "for start in range(0, max(1, *map(len, lists.values()), 0), _PIECE):",
        "0 → 1, number 2 there",
    ): "it is the lesser of two, so that there are two",
    (f"{_DOMAIN}.invalid", "_PIECE = 50", "50 → 51"): "the same faults are found by pieces of any size",
    (f"{_DOMAIN}.link_health", "UNLIMITED = 1_000_000", "1000000 → 1000001"): "no worker has so many senders",
    (f"{_DOMAIN}.relay", "return min(ASK_LATEST_S, ASK_FIRST_S * 1.5 ** min(asked, 10))", "10 → 11"): (
        "the longest wait is reached before"
    ),
    (f"{_RESULTS}.merge", "seen[time] += 1", "1 → 2"): (
        "equal times only have to stay apart, and the same way in both watches"
    ),
    (
        f"{_RESULTS}.corrections_times",
        "board.renumber({token: token + 1 for token in range(self.position, board.highest() + 1)})",
        "1 → 2, number 2 there",
    ): "it only ends the range: no scan has a token above the highest",
    (
        f"{_RESULTS}.corrections_scans",
        "board.renumber({token: token + self.count for token in range(self.first, highest + 1)})",
        "1 → 2",
    ): "it only ends the range: no scan has a token above the highest",
    (
        f"{_RESULTS}.corrections_files",
        "board.scans += sorted([*kept, *new], key=lambda one: one.line or 0)",
        "0 → 1",
    ): "each scan of a file has a line, and the first one is 1",
    (
        f"{_RESULTS}.plausible",
        "while first > plausible.longest and start > 0 and first - start <= plausible.first_most:",
        "start > 0 → start >= 0",
    ): "from 0 on it would be the time itself, which is longer than any",
    (f"{_RESULTS}.plausible", "start: int = 0", "0 → 1"): "only the third way has a start, and it is always given",
    (f"{_RESULTS}.checks", "and max(map(len, athletes), default=0) <= LONGEST_NORMAL", "0 → 1"): (
        "either is shorter than the longest barcode"
    ),
    (
        f"{_RESULTS}.checks",
        "and max(map(len, athletes), default=0) <= LONGEST_NORMAL",
        "max(map(len, athletes), default=0) <= LONGEST_NORMAL → max(map(len, athletes), default=0) < LONGEST_NORMAL",
    ): "it is a short cut: the rules say the same",
    (
        f"{_RESULTS}.plausible",
        "while first > plausible.longest and start > 0 and first - start <= plausible.first_most:",
        "0 → 1",
    ): "a start is a multiple of half an hour",
    (
        f"{_RESULTS}.corrections_scans",
        "board.renumber(dict(zip(tokens, reversed(tokens), strict=True)))",
        "True → False",
    ): ("both are equally long"),
    (f"{_RESULTS}.join_state", "apart: bool = False", "False → True"): "each pair that is compared says it",
    (f"{_OUTBOX}.leases", "if free_slots <= 0:", "free_slots <= 0 → free_slots < 0"): "of none, none is chosen",
    (f"{_OUTBOX}.comparison", "_AT_ONCE = 500", "500 → 501"): _ANY_PIECES,
    (f"{_OUTBOX}.digests", "AT_ONCE = 200", "200 → 201"): _ANY_PIECES,
    (f"{_DELIVERY}.app", "worker_prefetch_multiplier=64,", "64 → 65"): "one more waits here and not in the broker",
    (
        f"{_DELIVERY}.dispatch",
        "news = self._news.get(timeout=limit_s) if limit_s > 0 else self._news.get_nowait()",
        ("limit_s > 0 → limit_s >= 0"),
    ): "to wait for no time is not to wait",
    (f"{_DELIVERY}.handing_on", "until = began + CALL_S", "began + CALL_S → began - CALL_S"): (
        "each call is renewed, needed or not"
    ),
    (f"{_DELIVERY}.masters.connection", "self.reused = False", "False → True"): "each request says it anew",
    (f"{_DELIVERY}.masters.dial", "_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)", "1 → 2"): (
        "the kernel asks whether it is zero"
    ),
    (
        f"{_DELIVERY}.masters.watch",
        "if first_look < self._next_look:",
        ("first_look < self._next_look → first_look <= self._next_look"),
    ): "a thread is woken that would wake by itself then",
    (
        f"{_DELIVERY}.masters.dial",
        ('threading.Thread(target=self._run, args=(pending,), name="master-name", daemon=True).start()'),
        "True → False",
    ): "only the end of a process would wait for the nameserver",
    (
        f"{_OUTBOX}.at_once",
        _WHOLE,
        "1 → 2",
    ): "the quotient is not read: only a division by zero counts",
    (
        f"{_OUTBOX}.at_once",
        _WHOLE,
        "1 → 2, number 2 there",
    ): "the quotient is not read: only a division by zero counts",
    (
        f"{_OUTBOX}.at_once",
        "statement = _statement(entry.weight - 1, entry.patience, entry.client_key is not None, tuple(row))",
        "entry.weight - 1 → entry.weight + 1",
    ): "it is used on PostgreSQL only, whose test notices it",
    (
        f"{_OUTBOX}.acceptance",
        "head = by_id(conn, chain.head, lock=True) if chain.head is not None and not is_first else None",
        "chain.head is not None and (not is_first) → chain.head is not None or not is_first",
    ): "no row has the new id yet, and none has the id None",
    (
        f"{_OUTBOX}.decisions",
        "Submission.chain_id == chain_id, Submission.version < row.version, Submission.state.in_(WAITING)",
        "Submission.version < row.version → Submission.version <= row.version",
    ): "it is withdrawn itself, so it does not wait",
    (
        f"{_OUTBOX}.decisions",
        "return ChainPlace(place.base, place.blocked or conn.execute(older.limit(1)).first() is not None)",
        "1 → 2",
    ): _FIRST_ROW,
    (f"{_OUTBOX}.chains", ".limit(1)", "1 → 2"): _FIRST_ROW,
    (
        f"{_OUTBOX}.chains",
        'return conn.execute(_WAITING.limit(1), {"chain": chain_id}).first() is not None',
        "1 → 2",
    ): _FIRST_ROW,
    (
        f"{_OUTBOX}.bundles",
        "behind = select(Submission.seq).join(Payload, Payload.seq == Submission.seq)"
        ".order_by(Submission.seq).limit(1)",
        "1 → 2",
    ): _FIRST_ROW,
    (
        f"{_OUTBOX}.slips",
        "_OWES = select(SlipRow.seq).where(SlipRow.mail_owed, SlipRow.number.is_not(None)).limit(1)",
        "1 → 2",
    ): _FIRST_ROW,
    (
        f"{_OUTBOX}.candidates",
        "one = select(Submission.seq).where(_WAITS, *where).correlate(None).order_by(*_IN_ORDER).limit(1)",
        "1 → 2",
    ): _SUBQUERY,
    (f"{_OUTBOX}.candidates", "ordered = select(Submission.epoch).order_by(*_IN_ORDER).limit(1)", "1 → 2"): _SUBQUERY,
    (
        f"{_OUTBOX}.candidates",
        'return conn.execute(_THESE, {**_asked(now, len(seqs), 0, destination), "seqs": list(seqs)}).all()',
        "0 → 1",
    ): "this query reads no epoch",
    (
        f"{_OUTBOX}.candidates",
        "return found.with_for_update(skip_locked=True, of=Submission) if locked else found",
        "True → False",
    ): _SKIPS,
    (f"{_OUTBOX}.handovers", ".with_for_update(of=Submission, skip_locked=True)", "True → False"): _SKIPS,
    (f"{_OUTBOX}.handovers", ".with_for_update(of=Handover, skip_locked=True)", "True → False"): _SKIPS,
    (
        f"{_OUTBOX}.links",
        'make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _SAME_WORDS,
    (
        f"{_OUTBOX}.refusals",
        'insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _SAME_WORDS,
    (f"{_OUTBOX}.links", "elif number < row.ok_probe:", "number < row.ok_probe → number <= row.ok_probe"): _ONE_ANSWER,
    (
        f"{_OUTBOX}.prober_turns",
        "return same and still and heard.number > row.ok_probe and answer.retry_after_s is None",
        "heard.number > row.ok_probe → heard.number >= row.ok_probe",
    ): _ONE_ANSWER,
    (
        f"{_OUTBOX}.chains",
        "select(_Later.seq).where(_Later.chain_id == Submission.chain_id, _Later.version > Submission.version)"
        ".exists(),",
        "_Later.version > Submission.version → _Later.version >= Submission.version",
    ): "each version is then looked for others beside it: it only costs time",
    (
        f"{_OUTBOX}.decisions",
        "above = (Submission.chain_id == chain_id, Submission.version > version, Submission.state.not_in(GONE))",
        "Submission.version > version → Submission.version >= version",
    ): "it is withdrawn itself, or a person decides about it, so it is none of those that are looked for",
    (
        f"{_OUTBOX}.handovers",
        ".values(state=State.SENDING, state_at=now, lease=lease, lease_owner=call.relay, lease_until=now, lease_s=0.0)",
        "0.0 → 1.0",
    ): "the lease ends in the same transaction",
    (f"{_OUTBOX}.chains", "Submission.version > 1,", "Submission.version > 1 → Submission.version >= 1"): (
        "each version is then looked for others beside it: it only costs time"
    ),
    (f"{_OUTBOX}.chains", "return conn.execute(standing.with_for_update(read=True)).scalar()", "True → False"): _SKIPS,
    (f"{_OUTBOX}.repairs", "MOST = 1_000", "1000 → 1001"): "each search and each transaction may as well have one more",
    (
        f"{_OUTBOX}.no_event",
        'insert_ = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _SAME_WORDS,
    (
        f"{_OUTBOX}.custody",
        'insert_ = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _SAME_WORDS,
    (
        f"{_OUTBOX}.settlement",
        'if conn.dialect.name == "postgresql":  # SQLite\'s writers take turns anyway',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _LOCKS_NOTHING,
    (
        f"{_OUTBOX}.states",
        'if conn.dialect.name == "postgresql":  # SQLite\'s writers take turns anyway',
        "conn.dialect.name == 'postgresql' → conn.dialect.name != 'postgresql'",
    ): _LOCKS_NOTHING,
}
"""Changes that no test can notice: they do nothing, or only cost time."""

CHOICES: dict[tuple[str, str, str], str] = {
    (f"{_DELIVERY}.app", "CLEAN_UP_S = 3600.0", "3600.0 → 3601.0"): _HOW_LONG,
    (f"{_DOMAIN}.link", "PROBES_AT_ONCE = 5", "5 → 6"): _HOW_MANY,
    (f"{_DOMAIN}.relay", "MOST_UNANSWERED = 3", "3 → 4"): _HOW_MANY,
    (f"{_OUTBOX}.handovers", "CALL_S = 120.0", "120.0 → 121.0"): _HOW_LONG,
    (f"{_OUTBOX}.leases", "return 25.0 + size / 4_000", "4000 → 4001"): _HOW_LONG,
    (f"{_DELIVERY}.athletes_list", "AT_ONCE_S = 10.0", "10.0 → 11.0"): _HOW_LONG,
    (f"{_DELIVERY}.masters.database", "_STATEMENT_S = 4.0", "4.0 → 5.0"): _HOW_LONG,
}
"""Figures of which another would be as good. A test could notice them, so they count."""
"""By `key_of` a change."""


def reason_of(mutant: Mutant) -> str | None:
    """Why it may survive; None: a test is missing."""
    return (REASONS | CHOICES).get(key_of(mutant))


def can_be_seen(mutant: Mutant) -> bool:
    """Whether anybody could notice the change, so that a test could."""
    return key_of(mutant) not in REASONS


def key_of(mutant: Mutant) -> tuple[str, str, str]:
    """Its module, its line and its change, which stay when lines above come and go."""
    like_it = [
        one.number
        for one in mutants_of(mutant.module)
        if (one.line, one.was, one.now) == (mutant.line, mutant.was, mutant.now)
    ]
    place = like_it.index(mutant.number)
    return mutant.module, line_of(mutant), f"{mutant.was} → {mutant.now}{f', number {place + 1} there' * (place > 0)}"


@cache
def mutants_of(module: str) -> tuple[Mutant, ...]:
    """Those of the code as it is."""
    return tuple(mutants(module, path_of(module).read_text()))


def line_of(mutant: Mutant) -> str:
    return path_of(mutant.module).read_text().splitlines()[mutant.line - 1].strip()


def path_of(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
