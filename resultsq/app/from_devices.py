"""Results that a team's device kept while it could not reach the node: received once, however often they are sent.

An entry without problems is submitted at once where the team allowed that. Any other is kept with its files until the
team opens it in the form. The entry's id is the client key of its submission, so that a repeat is the same one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from resultsq.app import draft_view, drafts, event_day, intake, team_mails
from resultsq.app.carried import CarriedEntry, digest_of
from resultsq.app.context import AppContext
from resultsq.app.draft_files import UploadedFiles, add_files, too_many_files
from resultsq.app.drafts import Draft
from resultsq.domain.errors import Conflicting, InputRefused, KeyReused, NotThere, QuotaReached
from resultsq.domain.i18n import gettext
from resultsq.domain.sheet import rows_of
from resultsq.kinds.results import join
from resultsq.kinds.results.texts import day_text
from resultsq.store.admin import device_entries
from resultsq.store.admin.accounts import AccountView
from resultsq.store.admin.device_entries import StoredEntry
from resultsq.store.admin.drafts import StoredDraft, sent_as
from resultsq.store.admin.events import EventRow

MOST_OPEN = 300
"""Entries of one event that may wait to be opened."""

_FULL_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Received:
    """An entry that is safe on this node. `created` False: it was here before."""

    entry: StoredEntry
    created: bool


def receive(
    ctx: AppContext, account: AccountView, event: EventRow, carried: CarriedEntry, request_id: str = ""
) -> Received:
    """Keep an entry, or submit it: when this returns, it is committed.

    :raises BodyDamaged: a file is not what the device had; nothing was stored.
    :raises InputRefused: it is not a date.
    :raises KeyReused: the id stands for another entry.
    :raises QuotaReached: too many entries of this event wait to be opened, or it has handed in all that it may."""
    id_, digest = str(carried.id), digest_of(carried)
    with ctx.database.read() as conn:
        known = device_entries.find(conn, id_)
    if known is not None:
        return Received(_same(known, account, digest), created=False)
    files = carried.contents
    now = ctx.clock.now()
    with ctx.database.read() as conn:
        submission = sent_as(conn, event.id, id_)  # it was carried here by hand, or this process was killed just now
    reasons: tuple[str, ...] = ()
    if submission is None:
        submission, reasons = _judge(ctx, account, event, carried, files, request_id)
    entry = StoredEntry(
        id_, event.id, account.id, carried.date, digest, now, reasons, submission, now if submission else None
    )

    def tell(conn: Connection) -> None:
        if reasons and reasons != _unseen():  # who wanted to look again knows that it waits
            team_mails.tell_of_entry(conn, now, ctx.settings, account.name, event, day_text(entry.date), reasons)

    return _store(ctx, entry, () if submission else files, tell)


def open_entry(ctx: AppContext, account: AccountView, event: EventRow, id_: str) -> None:
    """Put an entry's files and its day into the team's draft, which must be empty.

    :raises NotThere: there is no such entry of this account that waits.
    :raises Conflicting: the draft has something in it.
    :raises DraftMoved, InputRefused: as `add_files`; the entry is left as it was."""
    with ctx.database.read() as conn:
        entry = device_entries.find(conn, id_)
        if entry is None or (entry.account_id, entry.event_id) != (account.id, event.id) or entry.done_at is not None:
            raise NotThere(gettext("There are no such results from a device here."))
        draft = drafts.open_draft(conn, account.id, event, ctx.clock.now())
        files = device_entries.files(conn, id_)
    if not draft.workspace.empty:
        raise Conflicting(
            gettext("There is other work on this page. Submit it or throw it away first, and then open these.")
        )
    drafts.start_again(ctx, draft, date=entry.date)

    def reopened() -> Draft:
        with ctx.database.read() as conn:
            return drafts.open_draft(conn, account.id, event, ctx.clock.now())

    add_files(ctx, reopened, _uploaded(files))
    ctx.database.write(lambda conn: device_entries.finish(conn, ctx.clock.now(), id_))


def _judge(
    ctx: AppContext,
    account: AccountView,
    event: EventRow,
    carried: CarriedEntry,
    files: Sequence[tuple[str, bytes]],
    request_id: str,
) -> tuple[str | None, tuple[str, ...]]:
    """The submission that it became, or why it became none."""
    day = intake.iso_date(carried.date)
    draft, uploaded = _as_draft(event, account, day, files)
    with ctx.database.read() as conn:
        reasons = _reasons(ctx, conn, account, draft, day)
    if reasons:
        return None, reasons
    if not carried.publish:
        return None, _unseen()
    return _submit(ctx, draft, uploaded, day, account.name, str(carried.id), request_id)


def _unseen() -> tuple[str, ...]:
    return (gettext("Nobody has looked at it yet: look, and submit it."),)


def _same(known: StoredEntry, account: AccountView, digest: str) -> StoredEntry:
    if (known.account_id, known.digest) != (account.id, digest):
        raise KeyReused(gettext("The id of these results was used for others. Nothing was stored; save them again."))
    return known


def _uploaded(files: Sequence[tuple[str, bytes]]) -> UploadedFiles:
    uploaded = UploadedFiles()
    for name, content in files:
        uploaded.add(name, content)
    return uploaded


def _as_draft(
    event: EventRow, account: AccountView, day: date, files: Sequence[tuple[str, bytes]]
) -> tuple[Draft, UploadedFiles]:
    """The entry as the form would show it; nothing is stored."""
    uploaded = _uploaded(files)
    if (too_many := join.too_many_together(uploaded.read)) is not None:
        raise InputRefused(too_many.message, (too_many,))
    if len(uploaded.read) + len(uploaded.refused) > intake.MOST_FILES:
        raise too_many_files()
    draft = drafts.unsaved(event, StoredDraft(event.id, account.id, day.isoformat()))
    work = join.add(draft.workspace.work, uploaded.read)
    volunteers = drafts.unique_volunteers(uploaded.volunteers)
    return drafts.with_workspace(draft, work=work, volunteers=volunteers, refused=tuple(uploaded.refused)), uploaded


def _reasons(ctx: AppContext, conn: Connection, account: AccountView, draft: Draft, day: date) -> tuple[str, ...]:
    """Why the entry cannot be submitted as it is."""
    try:
        event_day.demand_past(conn, draft.event, day, ctx.clock.now())
    except InputRefused as refusal:
        return (str(refusal),)
    return draft_view.view(ctx, conn, account, draft).reasons


def _submit(
    ctx: AppContext, draft: Draft, uploaded: UploadedFiles, day: date, by: str, key: str, request_id: str
) -> tuple[str | None, tuple[str, ...]]:
    """The submission that it became, or why it became none."""
    joined = draft.workspace.joined
    sent = intake.CheckedResults(
        event=draft.event.slug,
        date=day,
        rows=rows_of(joined.finishers, draft.workspace.volunteers),
        problems=joined.problems,
        files=tuple(intake.original(file.name, file.content, file.kind) for file in uploaded.kept),
    )
    try:
        accepted = intake.submit(
            ctx, sent, event_id=draft.event.id, submitted_by=by, client_key=key, request_id=request_id
        )
    except (Conflicting, InputRefused) as refusal:
        return None, (str(refusal),)
    return accepted.id, ()


def _store(
    ctx: AppContext, entry: StoredEntry, files: Sequence[tuple[str, bytes]], tell: Callable[[Connection], None]
) -> Received:
    most_bytes = MOST_OPEN * ctx.settings.max_body_bytes // 10

    def store(conn: Connection) -> Received:
        known = device_entries.find(conn, entry.id)
        if known is not None:  # sent twice at once
            return Received(known, created=False)
        waiting = device_entries.open_of_event(conn, entry.event_id)
        size = waiting.bytes + sum(len(content) for _, content in files)
        if entry.submission is None and (waiting.count >= MOST_OPEN or size > most_bytes):
            raise QuotaReached(
                gettext(
                    "Too many results from devices wait for this team, so no more are kept. Open some of them in "
                    "the form, then submit them or throw them away."
                ),
                _FULL_WAIT_S,
            )
        device_entries.add(conn, entry, files)
        tell(conn)
        return Received(entry, created=True)

    return ctx.database.write(store)
