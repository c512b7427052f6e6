"""Copies the accounts, events and tokens of the node that a setting names, each minute. It goes by the way to that node
alone, and never by the master's."""

from contextlib import closing
from functools import partial
from pathlib import Path

from resultsq import logs
from resultsq.app import people_copies
from resultsq.app.people_copies import CopiesTaken
from resultsq.clock import Clock
from resultsq.delivery.masters.people_source import HttpPeopleSource, NotListed
from resultsq.delivery.periodic import PeriodicTask
from resultsq.domain.clock_steps import passed
from resultsq.domain.errors import InputRefused, ResultsqError, SettingsError
from resultsq.domain.i18n import gettext_noop, kept_sentence
from resultsq.domain.relay import RelayAddress, one_address
from resultsq.settings import Settings
from resultsq.store.admin import people_copies as stored
from resultsq.store.engine.session import Database

LOOK_S = 5.0
EVERY_S = 60.0
_log = logs.get("people")


class NotCopied(ResultsqError):
    """The source gave no list."""


def periodic_task(settings: Settings, database: Database, clock: Clock) -> PeriodicTask:
    """Copy each minute where the setting `people_source` names a node."""

    def due() -> bool:
        if not settings.people_source:
            return False
        with database.read() as conn:
            found = stored.state(conn)
        return passed(found.next_at, found.wait_s, clock.now())

    def work() -> None:
        if due():  # another worker may have done it meanwhile
            try:
                sync(settings, database, clock)
            except (NotCopied, people_copies.OtherSource, InputRefused) as why:
                _note(database, clock, str(why))

    return PeriodicTask("resultsq.people", LOOK_S, work, due)


def _note(database: Database, clock: Clock, why: str) -> None:
    with database.read() as conn:
        before = stored.state(conn).error
    now = clock.now()
    database.write(lambda conn: stored.put_off(conn, now, EVERY_S, why))
    if why != before:  # once, and not each minute
        _log.warning("people.not_copied", why=why)


def sync(settings: Settings, database: Database, clock: Clock, *, other_source: bool = False) -> CopiesTaken:
    """Ask the source now, and make the copies here as it says.

    :raises SettingsError: no source is set
    :raises NotCopied: the source gave no list; what is here stays
    :raises OtherSource, InputRefused: see `people_copies.take_in`"""
    source = source_of(settings)
    with database.read() as conn:
        before = stored.state(conn)
    with closing(open_source(source, settings, clock)) as far:
        found = far.people("" if other_source else before.etag)
    if isinstance(found, NotListed):
        raise NotCopied(
            kept_sentence("{name} gave no list of accounts. {detail}", name=source.name, detail=found.detail)
        )
    taken = CopiesTaken(0)
    if found.people is not None:
        taken = people_copies.take_in(database, clock, found.people, source.name, found.etag, other_source=other_source)
        if taken.changed:
            _log.info("people.copied", source=source.name, changed=taken.changed, left=len(taken.left))
    now = clock.now()
    database.write(lambda conn: stored.put_off(conn, now, EVERY_S, None))
    return taken


def source_of(settings: Settings) -> RelayAddress:
    """:raises SettingsError: none is set"""
    if not settings.people_source:
        raise SettingsError(gettext_noop("This needs to know which node to copy: set RESULTSQ_PEOPLE_SOURCE."))
    return one_address(settings.people_source)


def open_source(source: RelayAddress, settings: Settings, clock: Clock) -> HttpPeopleSource:
    """:raises SettingsError: the address makes no sense"""
    file = Path(source.token_file)
    return HttpPeopleSource(
        source.url,
        _token(file),
        clock=clock,
        allow_plain_http=settings.send_my_token_over_plain_http_where_anyone_can_read_it,
        reread_token=partial(_token, file),
    )


def _token(file: Path) -> str:
    """What the file holds now; a file that cannot be read is as good as a wrong token: the source refuses it."""
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        _log.warning("people.no_token", error=error.strerror)
        return ""
