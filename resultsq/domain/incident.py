"""The report of an outage: what a club posts on Monday. Pure; resultsq/store/outages.py reads its figures."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from resultsq.domain.delays import Delays
from resultsq.domain.why import cause_text, spell


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage and what it did. `ended_at` None: it goes on. `delays` are those from acceptance to publication
    of the submissions that it delayed; `not_published` were superseded, withdrawn, or wait for a person."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    probes: int
    accepted: int
    events: int
    delays: Delays
    still_waiting: int
    not_published: int
    last_published_at: datetime | None

    @property
    def affected(self) -> int:
        return self.delays.count + self.still_waiting + self.not_published


def markdown(incident: Incident, zone: tzinfo) -> str:
    """The report as a post, in sentences; times are those of `zone`."""

    def at(moment: datetime) -> str:
        return moment.astimezone(zone).strftime("%H:%M:%S on %A %d %B %Y")

    ended_at, cause = incident.ended_at, cause_text(incident.cause)
    if ended_at is None:
        said = f"Since {at(incident.began_at)} results cannot be published, because {cause}. It goes on."
    else:
        lasted = spell((ended_at - incident.began_at).total_seconds())
        said = (
            f"From {at(incident.began_at)} to {at(ended_at)}, for {lasted}, results could not be published, "
            f"because {cause}."
        )
    lines = [
        f"# Results were delayed on {incident.began_at.astimezone(zone):%A %d %B %Y}",
        "",
        said,
        "",
        f"Teams could submit all the same: {incident.accepted} submissions were accepted meanwhile. None was lost, and "
        "each is published once.",
        "",
        "| | |",
        "|---|---|",
        f"| submissions affected | {incident.affected} |",
        f"| events affected | {incident.events} |",
        f"| published since | {incident.delays.count} |",
        f"| still waiting | {incident.still_waiting} |",
        f"| superseded, withdrawn or waiting for a person | {incident.not_published} |",
    ]
    if incident.delays.count:
        lines += [
            f"| delay, half of them | {spell(incident.delays.p50)} |",
            f"| delay, 95 % of them | {spell(incident.delays.p95)} |",
            f"| longest delay | {spell(incident.delays.most)} |",
        ]
    if incident.last_published_at is not None and ended_at is not None:
        after = spell((incident.last_published_at - ended_at).total_seconds())
        lines.append(f"| last of them published | {at(incident.last_published_at)}, {after} after the end |")
    lines.append(f"| times the link was asked | {incident.probes} |")
    return "\n".join(lines) + "\n"
