"""How the reference master reads a kite."""

import json

from resultsq.domain.outcome import Reason
from resultsq.master.kinds import Body
from resultsq.master.rules import Invalid, UnreadableSheet


def read(body: bytes) -> Body | Invalid | UnreadableSheet:
    try:
        said = json.loads(body)
    except ValueError:
        return UnreadableSheet("This is no JSON.")
    if len(said["colours"]) > 3:
        return Invalid((Reason("No kite has so many colours.", "/colours"),))
    return Body("")
