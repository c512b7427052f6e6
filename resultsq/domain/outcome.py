"""The outcomes of an attempt, as values. An outcome is the answer's meaning for the submission, for the
link and for the predecessor's doubt; nothing here knows HTTP."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Head(BaseModel):
    """The published version of an event and date: a submission's id and its revision there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # no more than every database can keep
    submission: str = Field(pattern=r"^[!#-~]{1,36}\z")
    revision: int = Field(ge=1, lt=2**31)


class Receipt(Head):
    """The master's word that it has committed a submission. A kind without versions has no `revision` (0); event and
    date are those of results. `athlete` is the number of an athlete who was registered."""

    revision: int = Field(default=0, ge=1, lt=2**31)
    event: str = Field(default="", pattern=r"^[^\x00-\x1f\x7f]{1,100}\z")
    date: str = Field(default="", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\z")
    kind: str = Field(default="", pattern=r"^[a-z]{0,32}\z")
    athlete: str = Field(default="", pattern=r"^A[0-9]{1,14}\z")
    digest: str = Field(pattern=r"^[!-~]{1,100}\z")
    received_at: datetime

    @field_validator("received_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError:
            raise ValueError("outside the calendar") from None


def plain(text: str) -> str:
    """Foreign text without the characters that no database or page takes: NUL and halves of characters."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


NO_SUCH_CALL = "no-such-call"
"""The code of a refusal: the master has no call for this kind, which came with a later version of the contract."""


class Cause(StrEnum):
    """Why an attempt or a probe did not get through. The value is what the dashboard filters by."""

    DNS = "dns"  # the name could not be resolved
    UNREACHABLE = "unreachable"  # no route to the host or network
    REFUSED = "refused"  # the host is there, nothing listens
    RESET = "reset"  # the connection was cut
    TIMEOUT = "timeout"  # no connection in time (straight into a database: or no answer)
    NO_ANSWER = "no-answer"  # the connection was made, and no whole answer came in time
    SILENT = "silent"  # nothing came for two seconds while a newer connection worked
    TLS = "tls"  # the certificate or the handshake is not the master's
    NOT_OUR_MASTER = "not-our-master"  # something answered that is not the master: a captive portal, a proxy
    MASTER_DOWN = "master-down"  # the master answered 5xx
    BUSY = "busy"  # the master answered 408, 425 or 429: later
    LATER = "later"  # the mail server is well, and takes this mail later: 4xx, as greylisting has it
    DATABASE = "database"  # the master's database did not take it (straight into a database)
    SURPRISE = "surprise"  # a fault of this product; the log has it
    TAKES_NOTHING = "takes-nothing"  # an outage's: the master answers probes, and every submission fails
    WORKER_GONE = "worker-gone"  # the sender died with the submission in hand; its end is unknown


LINK_CAUSES = frozenset(
    {
        Cause.DNS,
        Cause.UNREACHABLE,
        Cause.REFUSED,
        Cause.RESET,
        Cause.TIMEOUT,
        Cause.NO_ANSWER,
        Cause.SILENT,
        Cause.TLS,
        Cause.NOT_OUR_MASTER,
    }
)
"""Causes that say something of the link and not of the submission: they ask the prober for its opinion."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the master's reasons against a sheet: a JSON pointer into it and a sentence."""

    detail: str
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """The call as seen on the wire, for people: redacted heads, at most 4 kB of body."""

    status: int | None = None
    request_head: str = ""
    answer_head: str = ""
    answer_body: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The master has this very sheet. `receipt` may carry another node's id where the rows were equal."""

    receipt: Receipt
    exchange: Exchange = field(default_factory=Exchange)


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. `in_doubt`: the master may have committed it all the same, so the end of this attempt is
    unknown. `retry_after_s`: the master's own word on when, in seconds, not yet cut."""

    cause: Cause
    detail: str
    in_doubt: bool
    retry_after_s: float | None = None
    exchange: Exchange = field(default_factory=Exchange)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The master will never take this sheet."""

    code: str
    detail: str
    reasons: tuple[Reason, ...] = ()
    exchange: Exchange = field(default_factory=Exchange)


@dataclass(frozen=True, slots=True)
class Conflict:
    """The sheet published there is not the one that the precondition names. `head` None: nothing is
    published there although we name a predecessor. `head_sheet` is the sheet published there. `detail`: the master's
    word where no sheet is in the way, but something else that a person decides about (`code`)."""

    head: str | None
    revision: int | None
    head_sheet: bytes | None = None
    head_receipt: Receipt | None = None
    exchange: Exchange = field(default_factory=Exchange)
    code: str = "conflict"
    detail: str = ""


class Scope(StrEnum):
    """What the master's refusal of our credentials covers."""

    DESTINATION = "destination"  # 401
    EVENT = "event"  # 403


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The master refused the credentials; nothing is charged to the sheet."""

    scope: Scope
    detail: str
    exchange: Exchange = field(default_factory=Exchange)


@dataclass(frozen=True, slots=True)
class Redirected:
    """The master has no call for this kind: another destination, the key of its link, takes it instead."""

    destination: str
    detail: str
    exchange: Exchange = field(default_factory=Exchange)


Outcome = Accepted | Deferred | Rejected | Conflict | Unauthorised | Redirected


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """An outcome in the words of an attempt's row and of the log."""

    outcome: str
    cause: str | None = None
    detail: str | None = None


def summary(outcome: Outcome) -> OutcomeSummary:
    """What an attempt's row keeps of an outcome."""
    match outcome:
        case Accepted():
            return OutcomeSummary("accepted")
        case Deferred():
            return OutcomeSummary("deferred", outcome.cause, outcome.detail)
        case Unauthorised():
            cause = "forbidden" if outcome.scope is Scope.EVENT else "unauthorised"
            return OutcomeSummary("unauthorised", cause, outcome.detail)
        case Rejected():
            return OutcomeSummary("rejected", outcome.code, outcome.detail)
        case Redirected():
            return OutcomeSummary("redirected", NO_SUCH_CALL, outcome.detail)
        case Conflict():
            return OutcomeSummary("conflict", outcome.code, outcome.detail or None)
