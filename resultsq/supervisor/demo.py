"""The demo of `up --demo`: a data folder of its own, and the events that its master knows."""

from collections.abc import Mapping
from pathlib import Path

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.settings import Settings

DEMO_FOLDER = Path("resultsq-demo")
DEMO_OUTAGE_S = 30.0

DEMO_EVENTS: Mapping[str, str] = {
    "castle-park": "Castle Park",
    "long-meadow": "Long Meadow",
    "mill-lane": "Mill Lane",
    "north-shore": "North Shore",
    "old-harbour": "Old Harbour",
    "river-bank": "River Bank",
    "south-common": "South Common",
    "three-oaks": "Three Oaks",
}
"""Slug → name of the events that the demo's master takes."""

DEMO_UNKNOWN_EVENT = ("quarry-hill", "Quarry Hill")
"""An event of the node that the demo's master does not know, so that it refuses a sheet."""

_MARK = "demo"


def claim_demo_folder(settings: Settings) -> None:
    """Mark the data folder as a demo's.

    :raises SettingsError: results that are not a demo's are, or would be, in its database, or go to a real master"""
    for name in ("database_url", "master_url"):
        if getattr(settings, name).get_secret_value():
            raise SettingsError(
                gettext("A demo has a database and a master of its own. Unset {name}, and start it again.", name=name)
            )
    mark = settings.data_dir / _MARK
    if not mark.exists() and any(settings.data_dir.glob("*.db")):
        raise SettingsError(
            gettext(
                "The data folder {folder} holds a node that is no demo, and nothing was changed. "
                "Name another folder with --data-dir.",
                folder=settings.data_dir,
            )
        )
    mark.touch()
