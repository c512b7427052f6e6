"""The sockets that the other rooms plug into: what may be queued, what reads files, what a master is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.entry import Entry, Slip
from resultsq.domain.event_files import FileKind, ReadFile, Text
from resultsq.domain.notices import NoNotices, NoticeList
from resultsq.domain.outcome import Cause, Outcome, Receipt


@dataclass(frozen=True, slots=True)
class Parcel:
    """One submission on its way. `body` is sent as it is; `precondition` is the submission id that must be
    published there now, or None where nothing may be. `event` and `date` may be empty: its kind knows. `lease` names
    the right to send it."""

    kind: str
    submission: str
    event: str
    date: str
    body: bytes
    digest: str
    precondition: str | None
    in_doubt: bool = False
    lease: str = ""


@dataclass(frozen=True, slots=True)
class Latest:
    """What a master has: how many receipts, and when it gave the newest; None where there is none."""

    received_at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a probe saw. `cause` None: our master answered and is up. `latest` None: it does not say."""

    cause: Cause | None
    detail: str
    duration_s: float
    retry_after_s: float | None = None
    master_time_offset_s: float | None = None
    latest: Latest | None = None


@dataclass(frozen=True, slots=True)
class OfficeLetter:
    """What the office reads of a submission that goes to it by mail. `written_at` has its zone."""

    subject: str
    text: str
    written_by: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    receipts: Sequence[Receipt]
    next_cursor: str | None


class Destination(Protocol):
    """Where submissions of some kinds go: the master, or the mail server.

    Every call is bounded as a whole and returns a value; none raises for anything that a network or the
    far side can do."""

    on_stalled: Callable[[], None]
    """Called, from a thread of the master's own, each time a `send` has run out of patience: nothing moved on
    its connection for so long. It must neither wait nor raise. None is called until it is set."""

    def abort_stalled(self, began_before: float) -> int:
        """A probe that began then (monotonic) was answered: end each `send` that has run out of patience and
        on which nothing has moved since. How many; each is Deferred with the cause SILENT."""

    def probe(self) -> ProbeAnswer:
        """Is it there, and ours? On a fresh connection, bounded by 5 s with name resolution included."""

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        """Deliver one submission, bounded by 20 s and its bytes at 4 kB/s; `patience_s` of silence asks the prober."""

    def refresh(self) -> None:
        """The link has just returned: keep no old connection."""

    def close(self) -> None:
        """Let go of every connection."""


class Master(Destination, Protocol):
    """The far side. One make for each URL scheme (delivery/masters); all pass one conformance suite."""

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        """The receipt of that submission; None for "not committed here so far", which settles nothing."""

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        """Receipts of this node's credentials, oldest first, for reconciliation."""

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        """The next page of the list of athletes."""

    def notices(self, etag: str) -> NoticeList | NoNotices | Outcome:
        """All notices of the office; `etag` is that of the last list, or empty."""

    def lease_block(self, key: str, size: int) -> LeasedBlock | NoBlocks | Outcome:
        """A block of so many athlete numbers for this node; the same key gets the same block again."""

    def use_token(self, token: str) -> None:
        """Another token is in force from the next request on.

        :raises SettingsError: it would travel where everyone could read it"""


class Reader(Protocol):
    """Reads one format. One module each (readers), chosen by the content alone."""

    @property
    def KIND(self) -> FileKind:  # noqa: N802 - a module's constant
        """What a file of this format holds."""

    def recognises(self, line: str) -> bool:
        """Whether a file whose first meaningful line this is has this format. Never raises."""

    def read(self, text: Text) -> ReadFile:
        """The rows, with every line accounted for.

        :raises FileRefused: with one problem or more, each with the file and the line."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the store and bundles write beside a body: it is the body's own. `event` is empty where it belongs to none;
    `finishers` is how many it counts: of results the finishers."""

    event: str
    date: str
    rows_digest: str
    finishers: int
    submitted_by: str


@dataclass(frozen=True, slots=True)
class Request:
    """The request that publishes a submission. `conditions` are the headers of its precondition: none where the kind
    has no versions, and then no answer speaks of one."""

    method: Literal["PUT"]
    path: str
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a team writes one. Its fields are in `template`; `title` and `button` are sentences."""

    template: str
    title: str
    button: str


class Kind(Protocol):
    """What may be queued. One package each (kinds), named in one registry: the store, the senders, the API
    and the dashboard know no kind by name."""

    @property
    def name(self) -> str:
        """In URLs and in the store: at most 32 lower-case letters."""

    @property
    def title(self) -> str:
        """What people call it, in English: a translatable part of a sentence."""

    @property
    def counted(self) -> tuple[str, str]:
        """One of it and several, with the gap `{number}`, in English: a translatable part of a sentence."""

    @property
    def destination(self) -> str:
        """Where it goes: the key of a link, `master` or `mail`."""

    @property
    def weight(self) -> int:
        """How many of one event share a round of claims: 1 takes turns one by one."""

    @property
    def patience(self) -> int:
        """How many rounds of claims later it begins: 0 goes before all kinds that have patience."""

    @property
    def template(self) -> str | None:
        """The Jinja template of what it says, in the folder `templates` of its package; None: what it says has pages
        of its own."""

    @property
    def form(self) -> Form | None:
        """Where a team writes one; None: not here, or on pages of its own."""

    def office_letter(self, body: bytes) -> OfficeLetter | None:
        """What goes to the office by mail where the master has no call for this kind; None: nothing does."""

    def example(self, event: str, number: int) -> Mapping[str, object] | None:
        """A payload that a rehearsal may post for this event; None: none. Another `number` may be another person."""

    def subject(self, submission: str, date: str) -> str:
        """The key of its chain beside kind and event: the id itself where there are no versions."""

    def request(self, parcel: Parcel) -> Request:
        """The request that publishes it at the master."""

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        """Whether the receipt is for this very submission, byte by byte."""

    def summary(self, count: int) -> str:
        """A summary in a few words for lists: `count` is its envelope's, and nothing else is known there."""

    @property
    def schema(self) -> str:
        """What a body of this kind calls itself."""

    def prepare(self, payload: object, *, submission: str, submitted_by: str, submitted_at: datetime) -> Entry:
        """Check a JSON value from outside and fix its bytes; `submission` is the id that it gets.

        :raises SheetRefused: with problems, each with a JSON pointer, where it cannot be published."""

    def envelope(self, body: bytes) -> Envelope:
        """The envelope of a body.

        :raises ValueError: it is no body of this kind, or has more rows than any."""

    def rows_digest(self, body: bytes) -> str:
        """The digest of what a body says, without who said it and when."""

    def expires_at(self, body: bytes) -> datetime | None:
        """After that the master is not asked to take it; None: it never expires."""

    def slip(self, body: bytes) -> Slip | None:
        """What stays of a body of personal data when it is deleted; None: it is none."""
