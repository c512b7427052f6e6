"""A master in this process, over a real ledger, that keeps books of its own: whom each version knowingly replaces, and
what lay on top when a version came. So what is shown can be told from what should be, whatever the store believes."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Exchange,
    Outcome,
    Receipt,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.ports import Parcel, ReceiptPage
from resultsq.master.database import open_engine
from resultsq.master.ledger import Committed, HeadConflict, Ledger

ELSEWHERE = "another node"
AWAY = Deferred(Cause.REFUSED, "Nothing listens there.", in_doubt=False)


@dataclass(frozen=True)
class Commit:
    """A version came to lie on top of these, the newest last."""

    version: str
    by: str
    beneath: tuple[str, ...]


class AccountableMaster:
    """Thread-safe. What a version knowingly replaces is told by `replaces`, before it is sent."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.ledger = Ledger(self.engine)
        self.ledger.create_tables()
        self.up = True
        self.credentials = "first token"
        self.bad: set[str] = set()  # sheets that it does not take
        self.refused: set[str] = set()  # events that the credentials are not good for
        self.lost: set[str] = set()  # what it had before it was restored
        self._known: dict[str, set[str]] = {}
        self._commits: list[Commit] = []
        self._lock = threading.RLock()

    def close(self) -> None:
        self.engine.dispose()

    # what it is asked

    def send(self, parcel: Parcel, now: datetime, by: str | None = None) -> Outcome:
        """As the contract's table has it; a receipt is asked for first where an attempt's end is unknown."""
        with self._lock:
            if parcel.event in self.refused and by is None:
                return Unauthorised(Scope.EVENT, "Not this event.")
            known = self.ledger.receipt(parcel.submission)
            if known is not None and parcel.in_doubt:
                return Accepted(known)
            if known is None and parcel.submission in self.bad:
                return Rejected("invalid-sheet", "The master does not take it.")
            return self._publish(parcel, now, by or self.credentials)

    def _publish(self, parcel: Parcel, now: datetime, by: str) -> Outcome:
        beneath = tuple(self.there(parcel.event, parcel.date))
        said = self.ledger.publish(
            parcel.body, parcel.submission, parcel.event, parcel.date, parcel.precondition, by, now
        )  # fmt: skip
        match said:
            case Committed():
                if said.new:
                    self._commits.append(Commit(parcel.submission, by, beneath))
                    self.lost.discard(parcel.submission)
                return Accepted(said.receipt, Exchange(status=201 if said.new else 200))
            case HeadConflict(None, _):
                return Conflict(None, None)
            case HeadConflict(str(head), revision) if (
                found := self.ledger.head(parcel.event, parcel.date)
            ) is not None:
                return Conflict(head, revision, found.body, self.ledger.receipt(head))
            case _:
                raise AssertionError(f"{said} for a good sheet")

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        """Of any credentials."""
        return self.ledger.receipt(submission) if self.up else AWAY

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        """Of the credentials in force, and of no older ones."""
        begin = None if since is None else datetime.fromisoformat(since)
        return self.ledger.receipts(self.credentials, begin, cursor=cursor) if self.up else AWAY

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        return self.ledger.athletes.page(question) if self.up else AWAY

    # what befalls it

    def restore(self, lose: int) -> None:
        """It comes back from a backup, without the last so many sheets."""
        with self._lock, self.engine.begin() as conn:
            query = "SELECT number, submission FROM master_sheets ORDER BY number DESC LIMIT :lose"
            for number, submission in conn.execute(sa.text(query), {"lose": lose}).all():
                self.lost.add(submission)
                for table in ("master_finishers", "master_volunteers"):
                    conn.execute(sa.text(f"DELETE FROM {table} WHERE sheet = :number"), {"number": number})
                conn.execute(sa.text("DELETE FROM master_sheets WHERE number = :number"), {"number": number})

    # its books

    def there(self, event: str, date: str) -> list[str]:
        """What it has for an event, first revision first."""
        query = "SELECT submission FROM master_sheets WHERE event = :event AND date = :date ORDER BY revision"
        with self.engine.connect() as conn:
            return [row[0] for row in conn.execute(sa.text(query), {"event": event, "date": date})]

    def replaces(self, version: str, *names: str | None) -> None:
        """Who sent this version knew of these, and wants it on top of them."""
        with self._lock:
            self._known.setdefault(version, set()).update(name for name in names if name is not None)

    def knows(self, version: str) -> set[str]:
        """All that this version may come to lie on."""
        found: set[str] = set()
        ahead = [version]
        while ahead:
            new = self._known.get(ahead.pop(), set()) - found
            found |= new
            ahead += new
        return found

    def not_replaced_knowingly(self, same: Iterable[tuple[str, str]]) -> list[str]:
        """What came to lie on a sheet that it does not replace, since this was last asked. `same`: versions, and the
        other name under which the master has their rows."""
        with self._lock:
            for version, name in same:
                self.replaces(version, name)
            wrong = []
            for one in self._commits:
                on = one.beneath[-1] if one.beneath else None
                if one.by != ELSEWHERE and on is not None and on not in self.knows(one.version):
                    wrong.append(f"{one.version} lies on {on}")
                self.replaces(one.version, *one.beneath)
            self._commits.clear()
            return wrong
