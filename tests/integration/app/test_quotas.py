"""An event hands in so much on a day and no more; the others go on."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from resultsq.app import submissions
from resultsq.app.submissions import Quota
from resultsq.domain.errors import QuotaReached
from resultsq.store.admin import quotas
from resultsq.store.engine.session import Database
from resultsq.store.outbox import Acknowledgement, File
from tests.support.nodes import StoreNode


@pytest.fixture
def node(store: Database) -> StoreNode:
    return StoreNode(store)


def hand_in(
    node: StoreNode, quota: Quota, day: int, event: str = "bushy", files: tuple[File, ...] = ()
) -> Acknowledgement:
    entry = replace(node.entry(event, date=f"2013-11-{day:02}"), files=files)
    return node.database.write(lambda conn: submissions.accept(conn, node.now, entry, quota))


def test_one_more_than_a_days_submissions_is_refused_and_nothing_of_it_is_stored(node: StoreNode) -> None:
    quota = Quota(submissions=2, bytes=0)
    first = hand_in(node, quota, 1)
    hand_in(node, quota, 2)
    with pytest.raises(QuotaReached, match="limit of 2 submissions a day") as refusal:
        hand_in(node, quota, 3)
    assert refusal.value.wait_s == (11 * 60 + 55) * 60 + 1, "it is five past twelve"
    assert node.count() == 2
    assert hand_in(node, quota, 1) == replace(first, created=False), "what was here before is found"
    assert hand_in(node, quota, 1, "richmond").created
    node.now += timedelta(hours=12)
    assert hand_in(node, quota, 3).created, "another day"


def test_one_more_byte_than_a_days_is_refused_with_the_files_counted(node: StoreNode) -> None:
    sheet = len(node.entry().body)
    files = (File("a.csv", "", "d", b"x" * 100), File("b.csv", "", "d", b"x" * 50))
    hand_in(node, Quota(0, bytes=sheet + 150), 1, files=files)
    with pytest.raises(QuotaReached, match="MB a day"):
        hand_in(node, Quota(0, bytes=2 * sheet + 299), 2, files=files)
    assert hand_in(node, Quota(0, bytes=2 * sheet + 300), 2, files=files).created
    assert node.count() == 2


def test_no_more_than_a_days_are_taken_when_many_come_at_once(node: StoreNode) -> None:
    quota, taken = Quota(submissions=5, bytes=0), list[int]()

    def one(day: int) -> None:
        try:
            hand_in(node, quota, day)
        except QuotaReached:
            return
        taken.append(day)

    threads = [threading.Thread(target=one, args=(day,)) for day in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == node.count() == 5


def test_a_refusal_is_known_for_the_day(node: StoreNode) -> None:
    def refused() -> list[str]:
        with node.database.read() as conn:
            return quotas.refused(conn, node.now)

    hand_in(node, Quota(0, 0), 1)
    hand_in(node, Quota(0, 0), 1, "richmond")
    assert refused() == []
    node.database.write(lambda conn: quotas.note_refusal(conn, node.now, node.events["bushy"]))
    assert refused() == ["bushy"]
    node.now += timedelta(hours=12)
    assert refused() == []
