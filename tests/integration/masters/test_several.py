"""One master at two addresses: what the link of one does must not matter."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters import open_master
from resultsq.domain import sheet
from resultsq.domain.errors import SettingsError
from resultsq.domain.outcome import Accepted, Cause, Deferred
from resultsq.domain.ports import Master, Parcel
from resultsq.domain.sheet import Finisher, Sheet
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

ID = "0d4e6c1e-8f0a-4f2b-9a38-0e9b6f1f5f0{}"


def parcel(number: int) -> Parcel:
    body = sheet.canonical_bytes(
        Sheet(
            event="bushy",
            date=datetime(2026, 3, number + 1, tzinfo=UTC).date(),
            submitted_by="bushy",
            submitted_at=datetime(2026, 3, 14, 10, 42, tzinfo=UTC),
            finishers=(Finisher(position=1, athlete="A1234567", time="00:17:31"),),
        )
    )
    return Parcel("results", ID.format(number), "bushy", f"2026-03-{number + 1:02}", body, sheet.digest(body), None)


@pytest.fixture
def roads(other_master: OtherMaster) -> Iterator[tuple[Proxy, Proxy, Master]]:
    port = int(other_master.url.rsplit(":", 1)[1])
    with Proxy(port) as one, Proxy(port) as two:
        urls = f"http://127.0.0.1:{one.port}, http://127.0.0.1:{two.port}"
        master = open_master(urls, "token", clock=SystemClock())
        try:
            yield one, two, master
        finally:
            master.close()


def test_the_preferred_address_is_used_while_it_answers(roads: tuple[Proxy, Proxy, Master]) -> None:
    one, two, master = roads
    assert master.probe().cause is None
    wait_until(lambda: two.connections == 1, what="the probe of the second address")
    assert isinstance(master.send(parcel(1)), Accepted)
    assert (one.connections, two.connections) == (2, 1)


@pytest.mark.parametrize("trouble", ["refuse", "hole"])
def test_the_other_address_takes_over_when_the_first_is_cut(roads: tuple[Proxy, Proxy, Master], trouble: str) -> None:
    one, _, master = roads
    getattr(one, trouble)()
    assert master.probe().cause is None
    assert isinstance(master.send(parcel(1)), Accepted)


def test_the_next_send_goes_the_other_way_when_one_met_a_dead_link(
    roads: tuple[Proxy, Proxy, Master], other_master: OtherMaster
) -> None:
    one, _, master = roads
    assert isinstance(master.send(parcel(1)), Accepted)
    one.refuse()
    master.refresh()
    assert isinstance(master.send(parcel(2)), Deferred)
    assert isinstance(master.send(parcel(2)), Accepted)
    assert len(other_master.receipts()) == 2


def test_the_link_is_down_when_no_address_answers(roads: tuple[Proxy, Proxy, Master]) -> None:
    one, two, master = roads
    one.refuse()
    two.refuse()
    assert master.probe().cause is Cause.REFUSED


def test_an_empty_list_of_addresses_is_refused() -> None:
    with pytest.raises(SettingsError):
        open_master(" , ", "", clock=SystemClock())
