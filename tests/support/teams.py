"""An event team's morning, the same for the same seed: the drill's real-format files, ready for an API call."""

import random
from datetime import date
from typing import Any

from resultsq.drill.files import Upload, upload

DAY = date(2013, 12, 7)


def morning(seed: int, finishers: int | None = None, event: str = "bushy", day: date = DAY) -> Upload:
    """Stopwatch and scanner files, and in `finishers` the rows that they have to become. `finishers` None: as
    many as events have, 4 to 1,000."""
    return upload(random.Random(seed), event, day, finishers)


def as_form(team: Upload) -> dict[str, Any]:
    """What `requests.post` wants to be given for the files: `data` and `files`."""
    return {
        "data": {"event": team.event, "date": team.date.isoformat()},
        "files": [("files", (name, content, "text/csv")) for name, content in team.files],
    }


def as_json(team: Upload) -> dict[str, Any]:
    """The rows as the API takes them, for `requests.post(json=…)`."""
    return {
        "event": team.event,
        "date": team.date.isoformat(),
        "finishers": [finisher.model_dump() for finisher in team.finishers],
        "volunteers": [],
    }
