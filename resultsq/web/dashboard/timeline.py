"""The way of one submission, drawn: what happened when, and how long it waited in between. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resultsq.domain.i18n import gettext_noop
from resultsq.domain.submission import WAITING
from resultsq.store.views.queries import SubmissionView
from resultsq.store.views.submission_detail import AttemptView

WIDTH = 720.0
LEAST = 3.0
"""Width of the shortest part that is drawn, in units of the view box."""


class TimelinePhase(StrEnum):
    """What went on between two moments; the value is the class that colours it."""

    WAITING = "waiting"
    SENDING = "sending"
    IN_DOUBT = "in-doubt"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """Something that happened. `took_s` is its own length, `after_s` the time since the step before ended."""

    at: datetime
    title: str
    tone: str
    took_s: float | None = None
    after_s: float | None = None
    number: int | None = None
    cause: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the bar: from `x`, so wide."""

    x: float
    width: float
    phase: TimelinePhase
    length_s: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps, the bar in a view box WIDTH wide, and how long all of it took. `left_out`: older attempts."""

    steps: Sequence[TimelineStep]
    parts: Sequence[Part]
    whole_s: float
    left_out: int


_ENDS = {
    "accepted": (gettext_noop("The master accepted it"), "success"),
    "deferred": (gettext_noop("No success yet"), "warning"),
    "rejected": (gettext_noop("The master rejected it"), "danger"),
    "conflict": (gettext_noop("The master did not take it: a conflict"), "danger"),
    "redirected": (gettext_noop("The master has no call for it: it goes by mail"), "warning"),
    "unauthorised": (gettext_noop("The master refused the credentials"), "danger"),
}


def draw(now: datetime, view: SubmissionView, attempts: Sequence[AttemptView]) -> Timeline:
    """The timeline of a submission from its attempts, in any order."""
    tries = sorted(attempts, key=lambda one: one.number)
    steps = [TimelineStep(view.accepted_at, gettext_noop("Accepted here"), "success")]
    spans: list[tuple[datetime, datetime, TimelinePhase]] = []
    last, doubt = view.accepted_at, False
    for one in tries:
        over = one.ended_at or now
        spans.append((last, one.started_at, TimelinePhase.IN_DOUBT if doubt else TimelinePhase.WAITING))
        spans.append((one.started_at, over, TimelinePhase.SENDING))
        steps.append(_attempt(one, (one.started_at - last).total_seconds(), asked=doubt))
        last, doubt = over, one.outcome == "deferred" and one.request_head is not None
    if view.state in WAITING and view.published_at is None and (not tries or tries[-1].ended_at is not None):
        spans.append((last, now, TimelinePhase.IN_DOUBT if doubt else TimelinePhase.WAITING))
    if view.published_at is not None:
        steps.append(
            TimelineStep(
                view.published_at, gettext_noop("Published"), "success", after_s=_since(last, view.published_at)
            )
        )
        last = max(last, view.published_at)
    end = max([last, *(stop for _, stop, _ in spans)])
    whole = max(end - view.accepted_at, timedelta(milliseconds=1))
    return Timeline(steps, _bar(view.accepted_at, whole, spans), whole.total_seconds(), view.attempts - len(tries))


def _attempt(one: AttemptView, after_s: float, asked: bool) -> TimelineStep:
    title, tone = _ENDS.get(one.outcome or "", (gettext_noop("On its way"), "primary"))
    if asked and one.outcome == "accepted":
        title = gettext_noop("Asked: the master has it")
    return TimelineStep(
        one.started_at, title, tone, one.duration_s, max(0.0, after_s), one.number, one.cause, one.detail or ""
    )


def _since(before: datetime, at: datetime) -> float | None:
    later = (at - before).total_seconds()
    return later if later > 0 else None


def _bar(start: datetime, whole: timedelta, spans: Sequence[tuple[datetime, datetime, TimelinePhase]]) -> list[Part]:
    parts = []
    for begin, stop, phase in spans:
        if stop <= begin:
            continue
        x = round((begin - start) / whole * WIDTH, 1)
        width = min(WIDTH - x, max(LEAST, round((stop - begin) / whole * WIDTH, 1)))
        parts.append(Part(x, max(0.0, width), phase, (stop - begin).total_seconds()))
    return parts
