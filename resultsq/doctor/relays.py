"""The relays to which this node hands submissions while the master cannot be reached, and the node that it copies."""

import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from resultsq.delivery.handing_on import open_relays
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.delivery.people_sync import source_of
from resultsq.doctor.finding import CheckTarget, Findings, Level, at
from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, ngettext, retold
from resultsq.domain.ports import Parcel
from resultsq.domain.relay import NoAnswer, NotKnown, relay_addresses
from resultsq.store.admin import people_copies
from resultsq.store.views import relays

_OLD = timedelta(minutes=10)


def check_relays(target: CheckTarget) -> Findings:
    files = {one.name: Path(one.token_file) for one in relay_addresses(target.settings.relays)}
    for name, relay in open_relays(target.settings, target.clock).items():
        with closing(relay):
            yield _state(name, relay, files[name])
    if files:
        with target.database.read() as conn:
            safe = relays.count_safe(conn)
        many = ngettext(
            "{number} waiting submission is at a relay, too.", "{number} waiting submissions are at a relay, too.", safe
        )
        yield Level.OK, many if safe else gettext("Nothing waits at a relay.")


def _state(name: str, relay: HttpRelay, token_file: Path) -> tuple[Level, str]:
    if not token_file.is_file():
        return Level.BAD, gettext(
            "The token for the relay {name} is missing: there is no file {file}.", name=name, file=token_file
        )
    # it is asked about a submission that does not exist: a node that it knows is told so, any other is refused
    nothing = Parcel("", str(uuid.uuid4()), "", "", b"", "", None)
    match relay.look(nothing):
        case NotKnown():
            return Level.OK, gettext("The relay {name} answers, and takes this node's token.", name=name)
        case NoAnswer(detail=detail):
            return (
                Level.WARN,
                gettext(
                    "The relay {name} cannot be used: {reason} Submissions go to the next relay of the settings.",
                    name=name,
                    reason=retold(detail),
                ),
            )
        case _:
            refused = gettext(
                "The relay {name} does not take this node's token: `resultsq node add` there makes one.", name=name
            )
            return Level.BAD, refused


def check_copies(target: CheckTarget) -> Findings:
    """The copies of another node's accounts, where they are wanted."""
    if not target.settings.people_source:
        return
    name = source_of(target.settings).name
    with target.database.read() as conn:
        found, held = people_copies.state(conn), people_copies.count(conn)
    if found.made_at is None:
        said = gettext("Nothing was copied from {name} yet.", name=name)
        why = retold(found.error) if found.error else gettext("A worker does it each minute.")
        yield Level.WARN, f"{said} {why}"
        return
    copied_at = None if found.next_at is None else found.next_at - timedelta(seconds=found.wait_s)
    if found.error is not None:
        old = gettext("The copies are those of {time}: {reason}", time=at(found.made_at), reason=retold(found.error))
        yield Level.WARN, old
    elif copied_at is None or target.clock.now() - copied_at > _OLD:
        yield Level.WARN, gettext("{name} was not asked for accounts for a while: no worker runs.", name=name)
    else:
        counts = (
            ngettext("{number} account", "{number} accounts", held.accounts),
            ngettext("{number} token", "{number} tokens", held.tokens),
        )
        copies = gettext("{counts} are copies from {name}, and up to date.", counts=cldr.listed(counts), name=name)
        yield Level.OK, copies
