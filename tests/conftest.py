"""Folder → marker, the order of running, in how many processes, and the services that tests ask for by name.

A missing service skips its tests on a developer's machine and fails them where the environment says CI=true.
"""

import gc
import os
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from resultsq import logs
from tests.support import compiling, netns, routes, services, speech, statements
from tests.support.failover import Failover
from tests.support.matrix import FaultMatrix
from tests.support.processes import OtherMaster, Process, forking
from tests.support.relays import Relay
from tests.support.schedule import Schedule

S = TypeVar("S", bound=services.Server)

HERE = Path(__file__).parent
MARKERS = ("unit", "integration", "faults", "browser")
"""The folders that hold tests, in the order of running: what is cheap tells first."""

FEWEST, MOST, FOR_A_CORE = 4, 16, 3
"""Processes that run tests: more than cores, for most tests wait for something; with two to a core both cores waited
for a fifth of the time. Not more: what measures a time would measure the others."""

collect_ignore = ["bench", "history", "mutation", "power", "races", "samples", "support", "upgrade"]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return Schedule(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_configure(config: pytest.Config) -> None:
    routes.compile_once()
    statements.compile_once()
    if not _is_one_of_several(config):  # reports come together where the run was started
        speech.compile_catalogues()
        if config.getvalue("dist") != "no":
            compiling.compile_first()
        config.pluginmanager.register(FaultMatrix())


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded and collected stays to the end: the collector of garbage need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _is_one_of_several(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """None but pytest's own where a file is named: the others would start for longer than most files take."""
    if any(Path(asked.partition("::")[0]).suffix == ".py" for asked in config.args):
        return 0
    return min(MOST, max(FEWEST, FOR_A_CORE * (os.cpu_count() or 1)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _folder(item) not in MARKERS:
            raise pytest.UsageError(f"{item.path} is in none of the folders {', '.join(MARKERS)}")
        item.add_marker(_folder(item))
    items.sort(key=lambda item: MARKERS.index(_folder(item)))
    if _is_one_of_several(config):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, int]:
    """Among several processes long tests begin first, or one of them would be left to the end by itself."""
    return item.get_closest_marker("long") is None, -MARKERS.index(_folder(item))


def give_up(missing: services.Missing) -> NoReturn:
    """Skip for want of a service, or fail where nothing may be wanting."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))


@contextmanager
def started(make: Callable[[], S]) -> Iterator[S]:
    """A server for the length of a block, or what its want means here."""
    with ExitStack() as stack:
        try:
            server = make()
            stack.enter_context(server)
        except services.Missing as missing:
            give_up(missing)
        yield server


@pytest.fixture(autouse=True)
def _log_is_not_set_up() -> Iterator[None]:
    """Whatever a test does to the log ends with it: a command of a later one finds none, as in a process of its own."""
    yield
    if logs.is_set_up():
        logs.begin()


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """The product's processes and other masters are forked: it begins with the first of them."""
    with forking():
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[services.PostgreSQL]:
    """A PostgreSQL server for the whole run."""
    with started(services.PostgreSQL) as server:
        yield server


@pytest.fixture
def failover() -> Iterator[Failover]:
    """A PostgreSQL server with a standby, behind one address."""
    with ExitStack() as stack:
        try:
            pair = stack.enter_context(Failover())
        except services.Missing as missing:
            give_up(missing)
        yield pair


@pytest.fixture
def postgres_url_factory(postgresql: services.PostgreSQL) -> Iterator[Callable[[], str]]:
    """Makes empty databases, each gone with the test: `postgresql+psycopg://…` URLs."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(postgresql.database())


@pytest.fixture
def postgres_url(postgres_url_factory: Callable[[], str]) -> str:
    """An empty database of the test's own."""
    return postgres_url_factory()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each make in turn, as a SQLAlchemy URL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def valkey() -> Iterator[services.Valkey]:
    """A Valkey of the test's own, which may be killed, frozen and flushed."""
    with started(services.Valkey) as server:
        yield server


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[services.Valkey]:
    """A Valkey for the whole run: for tests that treat it well."""
    with started(services.Valkey) as server:
        yield server


@pytest.fixture
def cable() -> Iterator[netns.Cable]:
    """Two namespaces and a cable between them; the master's port is 8080."""
    with ExitStack() as stack:
        try:
            laid = stack.enter_context(netns.Cable(8080))
        except services.Missing as missing:
            give_up(missing)
        except netns.Forbidden as forbidden:
            pytest.skip(str(forbidden))
        yield laid


@contextmanager
def mounted(size: str, where: Path) -> Iterator[Path]:
    """A disk of a size, as "2m", for the length of a block: a new folder in this one."""
    folder = tempfile.mkdtemp(prefix="disk-", dir=where)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if subprocess.run(command, capture_output=True).returncode != 0:
        give_up(services.Missing("A disk of a size can only be mounted by root."))
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change what a disk of `mounted` is like."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts disks of a size, as "2m"; the folders. They can be filled, and made larger by a remount."""
    with ExitStack() as stack:
        yield lambda size: stack.enter_context(mounted(size, tmp_path))


@pytest.fixture
def other_master() -> Iterator[OtherMaster]:
    """A master that shares no code with the product."""
    with OtherMaster() as master:
        yield master


@pytest.fixture
def relay(other_master: OtherMaster, store_url: str) -> Iterator[Relay]:
    """A relay on each make of database in turn."""
    with Relay(store_url, other_master) as made:
        yield made


@pytest.fixture
def sqlite_relay(other_master: OtherMaster, tmp_path: Path) -> Iterator[Relay]:
    """A relay on SQLite: for what does not depend on the database."""
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", other_master) as made:
        yield made


@pytest.fixture
def postgres_relay(other_master: OtherMaster, postgres_url_factory: Callable[[], str]) -> Iterator[Relay]:
    """A relay on PostgreSQL."""
    with Relay(postgres_url_factory(), other_master) as made:
        yield made


@pytest.fixture
def start_process() -> Iterator[Callable[..., Process]]:
    """Starts processes as `Process(…)` would; they end with the test, whose failure shows their output."""
    with ExitStack() as stack:
        started: list[Process] = []

        def start(*arguments: str | Path, **options: Any) -> Process:
            started.append(stack.enter_context(Process(*arguments, **options)))
            return started[-1]

        yield start
        for process in started:
            print(process)  # pytest shows it where the test failed


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Names a port on loopback that nothing listens on."""
    return services.free_port
