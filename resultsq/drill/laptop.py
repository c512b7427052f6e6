"""The rehearsal of a laptop that is closed: teams send while the master is away, a relay takes the results over, the
laptop is closed, the relay publishes, and the laptop is opened again."""

import random
import secrets
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from resultsq.domain.i18n import gettext
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.drill import files
from resultsq.drill.link import HOST, LinkMode, LinkRelay, free_port
from resultsq.drill.node import RehearsalNode, answers, raised
from resultsq.drill.observer import MasterObserver
from resultsq.drill.posts import RehearsalPhase
from resultsq.drill.processes import ProcessGroup
from resultsq.drill.rehearse import SATURDAY, STALLED_S, RehearsalRun, carry_out, teams_of
from resultsq.drill.screen import Screen
from resultsq.drill.teams import Teams, planned_post
from resultsq.drill.verdict import Verdict, judge
from resultsq.store.admin import tokens
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.views import relays

_WEB, _WORKER = "web-1", "laptop-worker"


@dataclass(frozen=True, slots=True)
class _Laptop:
    """The event's node, which can be closed and opened. `relay`: the setting that names its relay."""

    processes: ProcessGroup
    node: RehearsalNode
    relay: str

    @property
    def _folder(self) -> Path:
        return self.processes.folder / "node"

    def start_worker(self) -> None:
        far_side = {"master_url": f"http://{HOST}:{self.node.link.port}", "master_token": self.node.master_token}
        handing_on = {"relays": self.relay, "relay_after_s": 1}
        self.processes.start(_WORKER, "worker", data_dir=self._folder, **far_side, **handing_on)

    def close(self) -> None:
        for name in (_WORKER, _WEB):
            self.processes.end(name)

    def open(self) -> None:
        port = urlsplit(self.node.addresses[0]).port
        self.processes.start(_WEB, "web", data_dir=self._folder, host=HOST, port=port)
        self.start_worker()

    def count_safe(self) -> int:
        with self.node.database.read() as conn:
            return relays.count_safe(conn)


def rehearse_laptop(*, backlog: int, as_json: bool) -> int:
    """Rehearse it with `backlog` teams; the exit status.

    0: every sheet was accepted, and published once and unchanged by the relay, and the laptop knows it. The others: see
    `carry_out`."""
    seed = secrets.randbelow(2**32)
    plan = {"laptop": True, "backlog": backlog, "seed": seed}
    return carry_out(plan, lambda processes, screen: _rehearse(backlog, seed, processes, screen), as_json)


def _rehearse(backlog: int, seed: int, processes: ProcessGroup, screen: Screen) -> Verdict:
    rng, clock = random.Random(seed), processes.clock
    uploads = [files.upload(rng, f"event-{number:04}", SATURDAY) for number in range(1, backlog + 1)]
    screen.step(gettext("Starting a master, a laptop and a relay in a temporary folder"))
    with raised(processes, [each.event for each in uploads], workers=0) as node, ExitStack() as running:
        relays_link, named = running.enter_context(_relay(processes, node))
        laptop = _Laptop(processes, node, named)
        teams = running.enter_context(Teams(node.addresses, clock))
        observer = running.enter_context(MasterObserver(node.master, node.master_token, clock))
        cast = RehearsalRun(processes, node, teams, observer)
        running.enter_context(screen.live(backlog, lambda: (len(teams.taken), len(observer.seen_s))))

        screen.step(gettext("The master is out of reach of both: {teams} send to the laptop", teams=teams_of(backlog)))
        cut_s = clock.monotonic()
        for link in (node.link, relays_link):
            link.take(LinkMode.REFUSE)
        screen.link(LinkMode.REFUSE)
        laptop.start_worker()
        teams.phase = RehearsalPhase.DURING
        teams.send([planned_post(each, node.team_tokens[each.event], twice=False) for each in uploads], over_s=1.0)
        processes.wait_while_it_moves(lambda: teams.done, lambda: teams.answered, STALLED_S)
        processes.wait_for(gettext("The custody of the relay"), lambda: laptop.count_safe() == len(teams.taken))

        screen.step(gettext("The laptop is closed"))
        laptop.close()
        relays_link.take(LinkMode.PASS)
        returned_s = clock.monotonic()
        screen.link(LinkMode.PASS)
        screen.step(gettext("The relay reaches the master again and publishes"))
        cast.see_the_end()

        screen.step(gettext("The laptop is opened, still without a way to the master, and asks the relay"))
        laptop.open()
        _see_it_know(cast)
        screen.step(gettext("Comparing what the master has with what the teams sent, and with what the laptop says"))
        return judge(cast.facts(returned_s - cut_s, returned_s))


def _see_it_know(cast: RehearsalRun) -> None:
    """Wait until the laptop knows what the relay published, or until nothing moves any more."""
    ids = {each for sheet in cast.teams.taken for each in sheet.ids}

    def known() -> int:
        return sum(state is State.PUBLISHED for state in cast.node.states(ids).values())

    cast.processes.wait_while_it_moves(lambda: known() == len(ids), known, STALLED_S)


@contextmanager
def _relay(processes: ProcessGroup, node: RehearsalNode) -> Generator[tuple[LinkRelay, str]]:
    """A second node that keeps what the laptop hands to it: its link to the master, and the laptop's setting."""
    folder = processes.folder / "relay"
    folder.mkdir(mode=0o700)
    token_file = processes.folder / "relay-token"
    with ExitStack() as stack:
        database = Database(f"sqlite:///{folder / 'resultsq.db'}")
        stack.callback(database.close)
        migrate.upgrade(database)
        now = processes.clock.now()
        token_file.write_text(database.write(lambda conn: tokens.issue(conn, now, "laptop", Role.NODE)))
        port = free_port()
        link = stack.enter_context(LinkRelay(free_port(frozenset({port})), urlsplit(node.master).port or 0))
        far_side = {"master_url": f"http://{HOST}:{link.port}", "master_token": node.master_token}
        processes.start("relay-web", "web", data_dir=folder, host=HOST, port=port)
        processes.start("relay-worker", "worker", data_dir=folder, **far_side)
        processes.wait_for(gettext("An answer of the relay"), lambda: answers(f"http://{HOST}:{port}/healthz"))
        yield link, f"http://{HOST}:{port} {token_file}"
