"""A runner registers. The number is taken in the transaction that stores the registration, so that it is final at
once; with no number at hand the master gives one."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from resultsq.app import registration_form
from resultsq.app.context import AppContext
from resultsq.app.registration_form import RegistrationForm
from resultsq.app.submissions import Quota, keep_to
from resultsq.domain.entry import NO_EVENT, Entry, Slip
from resultsq.domain.errors import KeyReused, QuotaReached, SheetRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem, Severity, Where
from resultsq.domain.submission import State
from resultsq.kinds.registrations.kind import RUNNER, RegistrationsKind
from resultsq.store import outbox
from resultsq.store.admin import number_blocks, quotas
from resultsq.store.admin.number_blocks import GivenNumber
from resultsq.store.outbox import slips
from resultsq.store.views import queries, slip_lines
from resultsq.store.views.slip_lines import SlipLine, SlipPage

OLDEST_YEARS = 120
_KIND = RegistrationsKind()
KIND = _KIND.name
_NODES_OWN = ("athlete", "block", "salt")
"""What this node alone says of a registration."""

_NO_CONTENT = {*_NODES_OWN, "submitted_at"}


@dataclass(frozen=True, slots=True)
class Registered:
    """What the runner is given. `created` False: this very registration was here before."""

    submission: str
    slip: Slip
    created: bool
    state: State
    digest: str


@dataclass(frozen=True, slots=True)
class _Given:
    """A registration as its maker sent it, and the node's own part."""

    value: Mapping[str, Any]
    submission: str
    now: datetime
    salt: str

    def entry(self, number: GivenNumber | None = None) -> Entry:
        """:raises SheetRefused: with a JSON pointer for each value that cannot be taken"""
        own = {
            "athlete": None if number is None else number.athlete,
            "block": None if number is None else number.block,
            "salt": self.salt,
        }
        at = self.now.replace(microsecond=0)
        return _KIND.prepare(
            {**self.value, **own}, submission=self.submission, submitted_by=RUNNER, submitted_at=at
        )  # fmt: skip


def register(
    ctx: AppContext,
    given: Mapping[str, Any],
    submission: str,
    form: RegistrationForm | None = None,
    event_id: int = NO_EVENT,
    language: str | None = None,
) -> Registered:
    """Store a registration under the id that its maker made, and commit. The same id again: the same slip. `form` None:
    its rules were checked. `event_id`: the event whose program sends it; its quota bounds it.
    `language`: the code of that in which the runner reads; None: it is not known.

    :raises SheetRefused: with a JSON pointer for each value that cannot be taken; nothing was stored
    :raises KeyReused: the id stands for another registration, or for something else
    :raises QuotaReached: the event has handed in as much today as it may; nothing was stored
    :raises StoreUnavailable: nothing was stored"""
    now = ctx.clock.now()
    asked = _Given(given, submission, now, secrets.token_urlsafe(18))
    if own := [name for name in _NODES_OWN if name in given]:
        raise _refused({f"/{own[0]}": gettext("This node itself says this. Leave it out.")})
    plain = asked.entry()
    _check_age(plain, now)
    if form is not None and (wrong := registration_form.faults(form, json.loads(plain.body), now.date())):
        raise _refused(wrong)
    quota = Quota(ctx.settings.event_submissions_per_day, ctx.settings.event_bytes_per_day)
    try:
        done = ctx.database.write(lambda conn: _store(conn, asked, plain, quota, event_id, language), "accept")
    except QuotaReached:
        ctx.database.write(lambda conn: quotas.note_refusal(conn, now, event_id))  # for an alert
        raise
    except KeyReused:
        # two taps at once: the other one was stored in between
        with ctx.database.read() as conn:
            known = _known(conn, plain)
        if known is None:
            raise
        return known
    if done.created:
        ctx.bell.ring()
    return done


def look(ctx: AppContext, submission: str) -> Slip | None:
    """The slip of a registration; None: there is none of this id."""
    with ctx.database.read() as conn:
        found = queries.submission(conn, submission)
        return slips.of(conn, submission) if found is not None and found.kind == KIND else None


def one(ctx: AppContext, submission: str) -> SlipLine | None:
    """A registration as operators read it; None: there is none of this id."""
    with ctx.database.read() as conn:
        return slip_lines.one(conn, KIND, submission)


def page(ctx: AppContext, size: int, after: int | None = None, state: State | None = None) -> SlipPage:
    """Registrations as operators read them, the newest first. `after`: the key of a page; `state` None: in any."""
    with ctx.database.read() as conn:
        return slip_lines.page(conn, KIND, size, after, state)


def _store(
    conn: Connection, asked: _Given, plain: Entry, quota: Quota, event_id: int, language: str | None
) -> Registered:
    if (known := _known(conn, plain)) is not None:
        return known
    entry = asked.entry(number_blocks.take(conn, asked.now))
    accepted = outbox.accept(conn, asked.now, entry)
    if event_id != NO_EVENT:
        keep_to(quota, conn, asked.now, event_id, len(entry.body))
    if _slip(entry).number is None:
        slips.owe_mail(conn, accepted.id, language)
    return Registered(accepted.id, _slip(entry), created=True, state=accepted.state, digest=accepted.digest)


def _known(conn: Connection, plain: Entry) -> Registered | None:
    """The registration that is here under this id.

    :raises KeyReused: it says something else"""
    there = queries.submission(conn, plain.id)
    if there is None:
        return None
    slip, before = slips.of(conn, plain.id), slips.body(conn, plain.id)
    # once the master has it, its name is all that is left to compare
    is_same = slip is not None and (
        slip.name == _slip(plain).name if before is None else _content(before) == _content(plain.body)
    )
    if slip is None or not is_same:
        raise KeyReused(
            gettext("This form was sent before with other details, and the first ones are kept. Begin a new form.")
        )
    return Registered(plain.id, slip, created=False, state=there.state, digest=there.digest)


def _content(body: bytes) -> dict[str, Any]:
    return {name: value for name, value in json.loads(body).items() if name not in _NO_CONTENT}


def _slip(entry: Entry) -> Slip:
    if entry.slip is None:
        raise AssertionError("a registration has a slip")
    return entry.slip


def _check_age(entry: Entry, now: datetime) -> None:
    born = json.loads(entry.body)["born"]
    if not f"{now.year - OLDEST_YEARS}-" < born <= now.date().isoformat():
        raise _refused({"/born": gettext("This date of birth cannot be right.")})


def _refused(wrong: Mapping[str, str]) -> SheetRefused:
    """`wrong`: a sentence for each place."""
    problems = tuple(
        Problem(code="bad-value", severity=Severity.BLOCKS, message=message, where=(Where(pointer=pointer),))
        for pointer, message in wrong.items()
    )
    return SheetRefused(gettext("This registration cannot be taken like this, and nothing was stored."), problems)
