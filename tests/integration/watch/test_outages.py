"""The figures of an outage's report, read from what happened."""

import uuid

import pytest
from sqlalchemy import Connection

from resultsq.app import mails
from resultsq.domain.delays import Delays
from resultsq.domain.errors import NotThere
from resultsq.domain.outcome import Cause
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.views import outages
from tests.support.nodes import StoreNode, rejected


@pytest.fixture
def up(store: Database) -> StoreNode:
    node = StoreNode(store)
    node.probe()
    return node


def test_an_outage_is_told_with_whom_it_delayed_and_by_how_much(up: StoreNode) -> None:
    up.accept("wimbledon")
    up.publish_one()  # before it: not affected
    early = up.accept().id  # just before it
    up.pass_time(10)
    up.probe(Cause.REFUSED)
    began = up.now
    up.pass_time(600)
    during = up.accept("richmond").id
    given_up = up.accept(date="2013-11-30").id
    up.withdraw(given_up)
    up.pass_time(600)
    with up.database.read() as conn:
        going_on = outages.report(conn, up.outages()[0].id)
    assert (going_on.ended_at, going_on.still_waiting, going_on.delays) == (None, 2, Delays())
    up.probe()
    up.pass_time(5)
    for _ in range(2):
        up.publish_one()
    up.accept("wimbledon", date="2013-12-14")
    up.publish_one()  # after it: not affected
    with up.database.read() as conn:
        told = outages.report(conn, up.outages()[0].id)
    assert told.began_at == began
    assert (told.accepted, told.events, told.affected) == (2, 2, 3)
    assert (told.still_waiting, told.not_published) == (0, 1)
    assert told.delays == Delays(((605, 1), (1215, 1)))
    assert told.last_published_at == up.row(during).published_at == up.row(early).published_at


def test_what_the_master_refused_after_an_outage_was_delayed_by_it_and_what_it_refused_before_was_not(
    up: StoreNode,
) -> None:
    up.accept("wimbledon")
    up.try_one(rejected())  # before it
    up.accept()
    up.pass_time(10)
    up.probe(Cause.REFUSED)
    up.pass_time(60)
    up.probe()
    up.try_one(rejected())
    with up.database.read() as conn:
        told = outages.report(conn, up.outages()[0].id)
    assert (told.affected, told.not_published, told.events) == (1, 1, 1)


def test_each_kind_is_counted_and_what_goes_by_another_link_is_not(up: StoreNode) -> None:
    up.probe(Cause.REFUSED)
    up.accept()
    up.accept("richmond")
    now = up.now

    def work(conn: Connection) -> None:
        said = {"event": "bushy", "subject": "Barcodes", "text": "A box of them is empty."}
        message = KINDS["messages"].prepare(said, submission=str(uuid.uuid4()), submitted_by="team", submitted_at=now)
        outbox.accept(conn, now, message)
        mails.queue(conn, now, address="ops@results.example", subject="Down", text="The link is down.", repeat=True)

    up.database.write(work)
    with up.database.read() as conn:
        told = outages.report(conn, up.outages()[0].id)
    assert told.by_kind == {"messages": 1, "results": 2}
    assert told.affected == 3


def test_there_is_no_report_when_there_was_no_outage(up: StoreNode) -> None:
    with up.database.read() as conn, pytest.raises(NotThere):
        outages.report(conn, 7)
