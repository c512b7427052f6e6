"""What teams' devices still hold: a number, a day and when each was last heard. Nothing personal."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from resultsq.store.engine.tables import Device

MOST = 1000
"""Devices that are remembered; of more, those that were heard longest ago are forgotten first."""

SILENT_AFTER = timedelta(hours=1)
"""A device that held results of this day, and was not heard for so long, is called silent."""

_DAY_LASTS = timedelta(hours=12)
"""Somewhere it is still yesterday."""

FORGOTTEN_AFTER = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class HeldByDevices:
    """How many devices hold how many results, and when one of them was last heard. `silent` hold results of
    today and have not been heard for an hour."""

    devices: int = 0
    results: int = 0
    heard_at: datetime | None = None
    silent: int = 0


def report(conn: Connection, now: datetime, device: str, holds: int, day: str) -> None:
    """A device says what it holds; one that holds nothing is forgotten."""
    if not holds:
        conn.execute(delete(Device).where(Device.id == device))
        return
    values = {"holds": holds, "day": day, "heard_at": now}
    if not conn.execute(update(Device).where(Device.id == device).values(values)).rowcount:
        _make_room(conn, now)
        conn.execute(insert(Device), {"id": device, **values})


def is_known(conn: Connection, device: str) -> bool:
    """Whether this device has said before that it holds something."""
    return conn.execute(select(Device.id).where(Device.id == device)).first() is not None


def held(conn: Connection, now: datetime) -> HeldByDevices:
    """What the devices hold together."""
    query = select(func.count(), func.coalesce(func.sum(Device.holds), 0), func.max(Device.heard_at))
    count, results, heard_at = conn.execute(query).one()
    day = (now - _DAY_LASTS).date().isoformat()
    of_today = (Device.heard_at <= now - SILENT_AFTER, Device.day >= day)
    silent = conn.execute(select(func.count()).select_from(Device).where(*of_today)).scalar_one()
    return HeldByDevices(int(count), int(results), heard_at, int(silent))


def _make_room(conn: Connection, now: datetime) -> None:
    conn.execute(delete(Device).where(Device.heard_at < now - FORGOTTEN_AFTER))
    if conn.execute(select(func.count()).select_from(Device)).scalar_one() >= MOST:
        oldest = select(Device.id).order_by(Device.heard_at).limit(1).scalar_subquery()
        conn.execute(delete(Device).where(Device.id == oldest))
