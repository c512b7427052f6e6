"""The relays to which this node hands submissions while the master cannot be reached, and the node that it copies."""

import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from resultsq.delivery.handing_on import open_relays
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.delivery.people_sync import source_of
from resultsq.doctor.finding import CheckTarget, Findings, Level
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
        yield Level.OK, f"{safe} waiting submissions are at a relay, too." if safe else "Nothing waits at a relay."


def _state(name: str, relay: HttpRelay, token_file: Path) -> tuple[Level, str]:
    if not token_file.is_file():
        return Level.BAD, f"The token for the relay {name} is missing: there is no file {token_file}."
    # it is asked about a submission that does not exist: a node that it knows is told so, any other is refused
    nothing = Parcel("", str(uuid.uuid4()), "", "", b"", "", None)
    match relay.look(nothing):
        case NotKnown():
            return Level.OK, f"The relay {name} answers, and takes this node's token."
        case NoAnswer(detail=detail):
            return (
                Level.WARN,
                f"The relay {name} cannot be used: {detail} Submissions go to the next relay of the settings.",
            )
        case _:
            return Level.BAD, f"The relay {name} does not take this node's token: `resultsq node add` there makes one."


def check_copies(target: CheckTarget) -> Findings:
    """The copies of another node's accounts, where they are wanted."""
    if not target.settings.people_source:
        return
    name = source_of(target.settings).name
    with target.database.read() as conn:
        found, held = people_copies.state(conn), people_copies.count(conn)
    if found.made_at is None:
        yield Level.WARN, f"Nothing was copied from {name} yet. {found.error or 'A worker does it each minute.'}"
        return
    copied_at = None if found.next_at is None else found.next_at - timedelta(seconds=found.wait_s)
    if found.error is not None:
        yield Level.WARN, f"The copies are those of {found.made_at:%Y-%m-%d %H:%M} UTC: {found.error}"
    elif copied_at is None or target.clock.now() - copied_at > _OLD:
        yield Level.WARN, f"{name} was not asked for accounts for a while: no worker runs."
    else:
        yield Level.OK, f"{held.accounts} accounts and {held.tokens} tokens are copies from {name}, and up to date."
