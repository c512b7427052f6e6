"""The way to the mail server, for people."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from resultsq.domain.link import LinkState
from resultsq.store.engine.tables import MAIL, Link
from resultsq.store.views import state_counts
from resultsq.store.views.state_counts import StateCounts


@dataclass(frozen=True, slots=True)
class MailLink:
    """The mail server as its prober last saw it, and how many mails wait. `refused_at`: since when it refuses the
    credentials."""

    state: LinkState
    since: datetime
    detail: str | None
    refused_at: datetime | None
    waiting: int

    @property
    def trouble_since(self) -> datetime | None:
        """Since when no mail leaves; None: mails leave."""
        return self.refused_at if self.state is LinkState.UP else self.since


def look(conn: Connection, counts: StateCounts | None = None) -> MailLink | None:
    """The mail server's link as it is; None where no worker has had a mail server. `counts`: as the caller has them."""
    row = conn.execute(select(Link.state, Link.since, Link.detail, Link.refused_at).where(Link.name == MAIL)).first()
    if row is None:
        return None
    counts = counts or state_counts.look(conn)
    return MailLink(LinkState(row.state), row.since, row.detail, row.refused_at, counts.waiting_for(MAIL))
