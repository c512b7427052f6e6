"""The list of athletes: brought up to date on request, or taken from a file where there is no master."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy import Connection

from resultsq.app.context import AppContext, Transaction
from resultsq.domain.athletes import Athlete, address_hash
from resultsq.domain.errors import NotAllowed
from resultsq.domain.i18n import gettext
from resultsq.readers.athletes_list import ListedAthlete, read_list
from resultsq.store.athletes import copies, rows
from resultsq.store.athletes.copies import LeaseLost, Place
from resultsq.store.athletes.rows import Piece


def ask_now(ctx: AppContext, who: str) -> None:
    """Let the workers ask the master at once.

    :raises NotAllowed: this node keeps no list from the master"""
    if ctx.settings.athletes == "off":
        raise NotAllowed(
            gettext("This node keeps no list from the master: the setting athletes is off. Nothing was changed.")
        )

    def ask(tx: Transaction) -> None:
        copies.ask_now(tx.conn)
        tx.note("refresh-athletes", {})

    ctx.transact(who, ask)


def import_list(ctx: AppContext, who: str, lines: Iterable[str], as_of: datetime) -> int:
    """Take the list from a file, beside the one in use, which it replaces when all of it was read. `as_of`: the file
    was so then. How many athletes are in it.

    :raises InputRefused: a line cannot be read, or there is none; the list in use is as it was
    :raises NotAllowed: a worker is loading the master's list just now"""
    holder = f"import {uuid.uuid4().hex}"
    if not ctx.database.write(lambda conn: copies.take_lease(conn, ctx.clock.now(), holder)):
        raise NotAllowed(gettext("The list is being loaded from the master just now. Try again in half a minute."))
    try:
        return _load(ctx, who, holder, (_hashed(ctx, one) for one in read_list(lines)), as_of)
    except LeaseLost:
        raise NotAllowed(gettext("Another process took over, and nothing was changed. Try again.")) from None
    finally:
        ctx.database.write(lambda conn: copies.give_lease_back(conn, ctx.clock.now(), holder))


def _hashed(ctx: AppContext, one: ListedAthlete) -> Athlete:
    """The line as it is kept: of its address only the keyed hash, and nothing where there is no key."""
    key = ctx.settings.mail_hash_key
    if key is None or one.address is None:
        return one.athlete
    return replace(one.athlete, mail=address_hash(one.address, key))


def _load(ctx: AppContext, who: str, holder: str, athletes: Iterator[Athlete], as_of: datetime) -> int:
    copy = ctx.database.write(lambda conn: copies.begin(conn, ctx.clock.now(), copies.IMPORT))
    count = 0
    try:
        while some := list(islice(athletes, rows.AT_MOST)):
            rows.write_all(partial(_write, ctx, holder), copy.generation, some, alone=ctx.database.is_sqlite)
            count += len(some)
    except BaseException:
        ctx.database.write(lambda conn: copies.abandon(conn, copy))
        raise

    def finish(tx: Transaction) -> None:
        copies.renew_lease(tx.conn, tx.now, holder)
        copies.advance(tx.conn, copy, Place("", ""), as_of)
        tx.note("import-athletes", {}, count)

    ctx.transact(who, finish)
    return count


def _write(ctx: AppContext, holder: str, piece: Piece) -> None:
    def put(conn: Connection) -> None:
        copies.renew_lease(conn, ctx.clock.now(), holder)
        piece(conn)

    ctx.database.write(put)
