"""A node's web application on a store of its own, and the tokens to talk to it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resultsq.domain.role import Role
from resultsq.sealed import PersonalKeys
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.web.site import Sheet, Site
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode
from tests.support.templates import compiled_once


@pytest.fixture
def sheet() -> Callable[..., Sheet]:
    """Makes bodies with so many finishers; another count is other rows."""

    def make(rows: int = 3, event: str = "bushy", date: str = "2013-12-07", **more: Any) -> Sheet:
        lines = [
            {"position": n, "athlete": None if n % 3 == 0 else f"A{1000 + n}", "time": f"00:{17 + n // 60}:{n % 60:02}"}
            for n in range(1, rows + 1)
        ]
        return {"event": event, "date": date, "finishers": lines, **more}

    return make


@pytest.fixture
def make_site(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites with settings of their own."""
    opened: list[Database] = []

    def make(**settings: Any) -> Site:
        folder = tmp_path / f"node {len(opened)}"
        folder.mkdir()
        chosen = Settings(data_dir=folder, **settings)
        shutil.copy(sqlite_template, folder / "resultsq.db")
        node = StoreNode(Database(chosen.store_url, lambda: PersonalKeys.of([bytes(32)])))
        opened.append(node.database)
        clock = ManualClock(NOW)
        app = compiled_once(create_app(chosen, node.database, clock=clock, bell=Bell("")))
        site = Site(node, chosen, clock, app, {})
        site.tokens = {
            **{event: site.token(Role.TEAM, event) for event in node.events},
            **{role: site.token(role) for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)},
        }
        return site

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
