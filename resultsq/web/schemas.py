"""What travels over the API, as shapes: bodies are checked by them, and the OpenAPI document is made of them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, RootModel, model_validator

from resultsq.app.operations import REASON_MAX
from resultsq.domain.filter import Filter, Moment
from resultsq.domain.link import LinkState
from resultsq.domain.notices import TEXT_MAX, TITLE_MAX
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import EventSlug
from resultsq.domain.submission import State
from resultsq.store.admin.actions import MOST_IDS, Verb
from resultsq.store.views.listing import ListedSubmission

Scope = Literal["destination", "event", "submission"]


def _sayable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a reason is one line of text")
    return text.strip()


Reason = Annotated[str, Field(max_length=REASON_MAX), AfterValidator(_sayable)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{1,36}$")]


class _RequestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _ResponseModel(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class ActionRequest(_RequestModel):
    """Exactly one of `filter`, `ids` and (to undo a withdrawal) `action`. An empty filter is everything.
    `dry_run` counts and changes nothing; `release_at` is when a hold ends by itself."""

    verb: Verb
    filter: Filter | None = None
    ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_IDS)] | None = None
    action: Id | None = None
    reason: Reason = ""
    release_at: Moment | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_target(self) -> "ActionRequest":
        if sum(one is not None for one in (self.filter, self.ids, self.action)) != 1:
            raise ValueError("an action names its submissions by one of filter, ids and action")
        if self.action is not None and self.verb is not Verb.UNDO:
            raise ValueError("only an undo names another action")
        if self.release_at is not None and self.verb is not Verb.HOLD:
            raise ValueError("only a hold has a time of release")
        return self


class OfAnyKind(RootModel[dict[str, JsonValue]]):
    """A submission of the kind that the address names; its faults come as problem details."""


class ActionCountResponse(_ResponseModel):
    """What a dry run says: how many there are, and to how many it could be done now."""

    total: int
    able: int


class ActionResponse(_ResponseModel):
    """How far an action is. Of `total`, `skipped` had moved on or could not be done; `ended_at` null: it goes on."""

    id: str
    verb: Verb
    target: dict[str, Any]
    reason: str
    who: str
    started_at: datetime
    ended_at: datetime | None
    cancelled: bool
    total: int
    done: int
    skipped: int


class HoldRequest(_RequestModel):
    """Hold an event, or without one everything that goes to the master."""

    event: EventSlug | None = None
    reason: Annotated[Reason, Field(min_length=1)]
    release_at: Moment | None = None


class NoticeRequest(_RequestModel):
    """Tell the teams of an event, or of all, something on top of their form until that time."""

    event: EventSlug | None = None
    title: Annotated[str, Field(max_length=TITLE_MAX)]
    text: Annotated[str, Field(max_length=TEXT_MAX)]
    until: Moment


class NoticeResponse(_ResponseModel):
    """A notice to teams. `event` null: for all; `written_by` empty: the office, by the master."""

    id: int
    event: str | None
    title: str
    text: str
    written_by: str
    shown_from: datetime
    shown_until: datetime
    ended_at: datetime | None


class NoticesResponse(_ResponseModel):
    """The notices in force or to come, and some that are over."""

    notices: tuple[NoticeResponse, ...]


class NoticePostedResponse(_ResponseModel):
    """The number of a new notice, by which it is ended."""

    id: int


class HoldResponse(_ResponseModel):
    """A hold in force. One of the scope submission holds those that an action named."""

    id: int
    scope: Scope
    event: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    release_at: datetime | None


class HoldsResponse(_ResponseModel):
    """The holds in force."""

    holds: tuple[HoldResponse, ...]


class HoldReleasedResponse(_ResponseModel):
    """`action` releases the submissions that the hold named one by one; null: it held an event or everything."""

    action: str | None


class SubmissionsResponse(_ResponseModel):
    """A page of submissions; `next` is the `after` of the page behind it, null on the last."""

    submissions: tuple[ListedSubmission, ...]
    next: str | None


class SubmissionResponse(_ResponseModel):
    """A submission with its live state. `problems` are those said at acceptance, and the master's reasons. The answer
    to a POST of results also names numbers that the list of athletes lacks; `names_as_of` says as of when it is."""

    id: str
    event: str
    date: date
    state: State
    digest: str
    problems: tuple[Problem, ...]
    names_as_of: str = ""


class RegisteredResponse(_ResponseModel):
    """A registration that this node has. `number` null: the master gives it, and this answer has it then."""

    id: str
    name: str
    number: str | None
    state: State
    digest: str


class RegistrationResponse(_ResponseModel):
    """A registration as operators read it, and nothing else of its runner. `number` null: the master gives it."""

    id: str
    name: str
    number: str | None
    state: State
    accepted_at: datetime
    published_at: datetime | None


class RegistrationsResponse(_ResponseModel):
    """A page of registrations, the newest first; `next` is the `after` of the page behind it, null on the last."""

    registrations: tuple[RegistrationResponse, ...]
    next: str | None


class LinkResponse(_ResponseModel):
    """The way to the master. `unknown`: no worker has ever run here; `takes-nothing`: the master answers, and takes no
    results."""

    state: LinkState | Literal["unknown", "takes-nothing"]
    since: datetime | None = None
    cause: str | None = None
    suspect: bool = False
    next_probe_at: datetime | None = None
    credentials_refused_since: datetime | None = None


class StatusHold(_ResponseModel):
    """A hold that concerns the submissions shown."""

    scope: Scope
    event: str | None
    reason: str
    since: datetime
    until: datetime | None


class StatusResponse(_ResponseModel):
    """The queue at a glance. `event` null: of the whole node. `held` of those that wait are kept by a hold."""

    event: str | None
    counts: dict[State, int]
    waiting: int
    waiting_by_kind: dict[str, int]
    held: int
    oldest_waiting_at: datetime | None
    link: LinkResponse
    holds: tuple[StatusHold, ...]


class OutageResponse(_ResponseModel):
    """An absence of the link or of the master. `delayed`: waiting when it ended."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    detail: str | None
    probes: int
    delayed: int


class OutagesResponse(_ResponseModel):
    """Newest first."""

    outages: tuple[OutageResponse, ...]


class DelaysResponse(_ResponseModel):
    """From acceptance to publication, in seconds."""

    half_s: float
    most_of_them_s: float
    longest_s: float


class IncidentResponse(_ResponseModel):
    """What an outage did. `published`: since, of those that it delayed; `not_published`: superseded, withdrawn, or
    waiting for a person. `markdown` is the report as a post."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    probes: int
    accepted: int
    events: int
    affected: int
    published: int
    still_waiting: int
    not_published: int
    delays: DelaysResponse
    last_published_at: datetime | None
    markdown: str


class AlertResponse(_ResponseModel):
    """An alert that stands."""

    rule: str
    text: str
    raised_at: datetime


class AlertsResponse(_ResponseModel):
    """The alerts that stand, newest first."""

    alerts: tuple[AlertResponse, ...]


class AliveResponse(_ResponseModel):
    """The process answers."""

    status: Literal["alive"]


class ReadyResponse(_ResponseModel):
    """Whether results would be accepted now; `checks` are `ok`, or say what is wrong."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class ProblemPlace(BaseModel):
    """Where something is wrong."""

    model_config = ConfigDict(extra="allow")

    detail: str


class ProblemDetails(BaseModel):
    """Every refusal (RFC 9457). `detail` is a sentence for people; `head` is the present version's id."""

    model_config = ConfigDict(extra="allow")

    title: str
    status: int
    detail: str
    errors: tuple[ProblemPlace, ...] = ()
    head: str | None = None
