"""The relays to which this node hands submissions while the master cannot be reached."""

import uuid
from contextlib import closing
from pathlib import Path

from resultsq.delivery.handing_on import open_relays
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.doctor.finding import CheckTarget, Findings, Level
from resultsq.domain.ports import Parcel
from resultsq.domain.relay import NoAnswer, NotKnown, relay_addresses
from resultsq.store.views import relays


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
                f"The relay {name} cannot be used: {detail} What waits goes to the next one, if any.",
            )
        case _:
            return Level.BAD, f"The relay {name} does not take this node's token: `resultsq node add` there makes one."
