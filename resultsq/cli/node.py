"""What every command starts from: the settings, the database, and one way to show an answer."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

import click
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from resultsq import logs
from resultsq.app.context import AppContext
from resultsq.app.started import note_settings
from resultsq.cli import language
from resultsq.clock import Clock, SystemClock
from resultsq.domain.errors import NotThere, ResultsqError, SettingsError, StoreUnavailable
from resultsq.domain.i18n import gettext
from resultsq.sealed import PersonalKeys, personal_keys
from resultsq.settings import Loaded, Settings
from resultsq.settings_page import shown as shown_settings
from resultsq.settings_sources import load
from resultsq.store.admin import events
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.supervisor.folder import make_data_dir
from resultsq.wakeup import Bell

Overrides = Mapping[str, object]
"""Settings from the command line; None means "not given"."""

PIPE_WIDTH = 500
SCHEMA_WAIT_S = 60.0
SCHEMA_LOOK_S = 0.1


def _for_programs(_ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value:
        language.speak_english()
    return value


as_json_option = click.option(
    "--json", "as_json", is_flag=True, is_eager=True, callback=_for_programs, help="As JSON, for programs."
)


class PathParam(click.Path):
    """A path; where it is refused, the sentence names it in the reader's language."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name = gettext("file") if not self.dir_okay else gettext("directory") if not self.file_okay else gettext("path")
        self.name = name
        return super().convert(value, param, ctx)


class CliContext:
    """This node, as far as a command needs it: nothing is read or opened before it is asked for."""

    def __init__(self, overrides: Overrides, *, calls_master: bool = False, **more: object) -> None:
        self._calls_master = calls_master
        self._overrides = {**overrides, **{name: value for name, value in more.items() if value is not None}}
        self.clock: Clock = SystemClock()

    @cached_property
    def loaded(self) -> Loaded:
        return load(None, calls_master=self._calls_master, **self._overrides)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @cached_property
    def new_database(self) -> Database:
        """The database, whatever is in it; where it is SQLite's and is not there, its folder is made for it.

        :raises SettingsError: its URL names nothing that could be opened"""
        if not self.settings.database_url.get_secret_value():
            make_data_dir(self.settings)
        return self.unchecked_database

    @cached_property
    def unchecked_database(self) -> Database:
        """The database, whatever is in it. Nothing is made where there is none.

        :raises SettingsError: its URL names nothing that could be opened"""
        try:
            return Database(self.settings.store_url, self._personal_keys)
        except (ArgumentError, NoSuchModuleError):
            raise SettingsError(
                gettext(
                    "The setting database_url is no SQLAlchemy URL of SQLite or PostgreSQL. "
                    "It is written like postgresql+psycopg://user@host/name."
                )
            ) from None

    def _personal_keys(self) -> PersonalKeys:
        return personal_keys(self.settings.personal_keys.get_secret_value(), self.settings.data_dir)

    @cached_property
    def database(self) -> Database:
        """The database with the tables that this version needs.

        :raises ResultsqError: it has none, or others"""
        if (nowhere := migrate.no_node_in(self.unchecked_database, self.settings.data_dir)) is not None:
            raise ResultsqError(nowhere)
        if (trouble := self._schema_trouble()) is not None:
            raise ResultsqError(trouble)
        return self.unchecked_database

    @cached_property
    def context(self) -> AppContext:
        """What the use cases work with. It has no bell: the workers sweep sooner than this process could ring."""
        return AppContext(self.settings, self.database, self.clock, Bell(""))

    @cached_property
    def awaited_database(self) -> Database:
        """The same for a process that stays: where another is just making the tables, wait for it.

        :raises ResultsqError: they were not made within a minute"""
        make_data_dir(self.settings)
        give_up = self.clock.monotonic() + SCHEMA_WAIT_S
        _ = self.new_database
        while (trouble := self._schema_trouble()) is not None:
            if self.clock.monotonic() > give_up:
                raise ResultsqError(trouble)
            time.sleep(SCHEMA_LOOK_S)
        return self.unchecked_database

    @property
    def where(self) -> str:
        """Where this node keeps its data, for people: they may have meant another."""
        if not self.settings.database_url.get_secret_value():
            return str(self.settings.data_dir)
        address = self.unchecked_database.url
        return address.set(username=None, password=None, query={}).render_as_string()

    def _schema_trouble(self) -> str | None:
        found, needed = migrate.current(self.unchecked_database), migrate.newest()
        if not migrate.is_behind(found):
            return None
        if found is None:
            return gettext("The node's database has no tables yet. Run `resultsq db upgrade`.")
        return gettext(
            "The node's database is at revision {found}, this version needs {needed}. Run `resultsq db upgrade`.",
            found=found,
            needed=needed,
        )

    def migrate(self, change: Callable[[Database, str], None], revision: str) -> None:
        """Change the schema.

        :raises StoreUnavailable: the database does not answer
        :raises NoSuchRevision: there is no such revision"""
        try:
            change(self.new_database, revision)
        except DBAPIError as error:
            raise self.new_database.translate(error) from error

    def event(self, slug: str) -> events.EventRow:
        """The event that results or a message are handed in for.

        :raises NotThere: there is none of this name"""
        with self.database.read() as conn:
            found = events.find(conn, slug)
        if found is None:
            raise NotThere(
                gettext(
                    "There is no event called {event} here, and nothing was stored. `resultsq event add` makes one.",
                    event=slug,
                )
            )
        return found

    def note_settings(self, process: str) -> None:
        """Write into the audit what a process that stays starts with, where it differs from its last start."""
        values = {name: value for name, value, _origin, _sentence in shown_settings(self.loaded)}
        try:
            self.awaited_database.write(lambda conn: note_settings(conn, self.clock.now(), process, values))
        except StoreUnavailable as error:  # the process works without it, and waits for the database by itself
            logs.get("cli").warning("settings.not_noted", error=type(error.__cause__).__name__)

    def log(self) -> None:
        """Set up the logs of a process that stays: from now on it speaks English."""
        language.speak_english()
        logs.configure(self.settings.log_format, self.settings.log_level)


def who() -> str:
    """Who gives this command, for the audit."""
    user = os.environ.get("SUDO_USER") or os.environ.get("USER")
    return f"command line ({user})" if user else "command line"


def show(rows: Iterable[object], columns: Mapping[str, str], as_json: bool) -> None:
    """Rows as a table for people, or as a JSON array.

    :param columns: each one's name for programs, and its heading"""
    plain = [{column: _field(row, column) for column in columns} for row in rows]
    if as_json:
        show_json(plain)
        return
    from rich.console import Console  # loaded where something is to be drawn
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH  # no line is broken, so that grep finds it
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns.values():
        table.add_column(gettext(heading), overflow="fold")
    for row in plain:
        table.add_row(*(_text(row[column]) for column in columns))
    console.print(table, markup=False)


def show_json(value: object) -> None:
    """One JSON value on the standard output."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _field(row: object, column: str) -> Any:
    return row[column] if isinstance(row, Mapping) else getattr(row, column)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return gettext("yes") if value else gettext("no")
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case StrEnum():
            return gettext(value.value)
        case str() | int() | float():
            return str(value)
        case Iterable():
            return ", ".join(map(_text, value))
        case _:
            return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
