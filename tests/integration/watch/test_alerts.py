"""Alerts are raised once, ended once, and reach people even where the outage swallows their messages too."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from resultsq.app import submissions
from resultsq.domain.filter import Filter
from resultsq.domain.outcome import Cause
from resultsq.settings import Settings
from resultsq.store.admin import action_runner, actions, alerts, devices
from resultsq.store.admin.alerts import AlertView
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MAIL, Action, AlertMessage, Payload, Submission
from resultsq.watch import messenger
from tests.integration.watch.servers import webhook
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, StoreNode, moved, rejected, tell_nothing


class Watched:
    """A node, and the worker's two periodic tasks about alerts."""

    def __init__(self, node: StoreNode, settings: Settings) -> None:
        self.node = node
        self.settings = settings

    @property
    def clock(self) -> ManualClock:
        return ManualClock(self.node.now)

    def look(self) -> None:
        messenger.evaluate_alerts(self.settings, self.node.database, self.clock)

    def has_changed(self) -> bool:
        return messenger.have_changed(self.settings, self.node.database, self.clock)

    def send(self) -> None:
        messenger.send_waiting(self.settings, self.node.database, self.clock)

    def told(self) -> list[AlertView]:
        with self.node.database.read() as conn:
            return alerts.standing(conn)

    def standing(self) -> list[str]:
        return [one.rule for one in self.told() if one.ended_at is None]

    def down(self, minutes: float) -> None:
        """The link goes, and so many minutes pass."""
        self.node.probe(Cause.REFUSED)
        self.node.pass_time(60 * minutes)


def queued_mails(database: Database) -> list[dict[str, Any]]:
    """What the mails say that wait for the mail server."""
    with database.read() as conn:
        query = select(Payload.body).join(Submission, Submission.seq == Payload.seq).order_by(Payload.seq)
        return [json.loads(body) for body in conn.execute(query.where(Submission.destination == MAIL)).scalars()]


Make = Callable[..., Watched]


@pytest.fixture
def watched(store: Database, tmp_path: Path) -> Make:
    node = StoreNode(store)
    node.probe()
    return lambda **settings: Watched(node, Settings(data_dir=tmp_path, disk_low_bytes=1, **settings))


def test_it_is_raised_and_ended_once_when_two_workers_look(watched: Make) -> None:
    one = watched(alert_webhook_url="http://127.0.0.1:9/")
    one.node.accept()
    one.down(minutes=6)

    def twice() -> None:
        threads = [threading.Thread(target=one.look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    twice()
    twice()
    assert one.standing() == ["link-down"]
    one.node.probe()
    twice()
    assert one.standing() == []
    assert len(one.told()) == 1
    with one.node.database.read() as conn:
        subjects = conn.exec_driver_sql("SELECT subject FROM alert_messages ORDER BY id").scalars().all()
    assert subjects == ["resultsq: link-down", "resultsq: over: link-down"]


def test_the_second_of_two_workers_waits_and_then_raises_nothing(watched: Make) -> None:
    node = watched().node
    holding, began = {"rejected": "One was refused."}, threading.Event()

    def slowly(conn: Connection) -> None:
        alerts.bring_up_to_date(conn, node.now, holding, tell_nothing)
        began.set()
        time.sleep(0.3)  # for the other one to come, look, and wait

    first = threading.Thread(target=node.database.write, args=(slowly,))
    first.start()
    assert began.wait(60)
    node.database.write(lambda conn: alerts.bring_up_to_date(conn, node.now, holding, tell_nothing))
    first.join()
    with node.database.read() as conn:
        assert len(alerts.standing(conn)) == 1


def test_there_is_something_to_do_only_when_what_the_alerts_say_has_changed(watched: Make) -> None:
    one = watched(alert_webhook_url="http://127.0.0.1:9/")
    one.node.accept()
    one.down(minutes=6)
    assert one.has_changed(), "one is to be raised"
    one.look()
    assert not one.has_changed()
    one.node.accept("richmond")
    assert one.has_changed(), "another number waits"
    one.look()
    assert "2 submissions wait" in one.told()[0].text
    assert not one.has_changed()
    one.node.probe()
    assert one.has_changed(), "one is over"
    one.look()
    assert not one.has_changed()
    one.node.publish_one()
    one.node.publish_one()
    assert one.has_changed(), "the outage's end is still to be told"
    one.look()
    assert not one.has_changed()
    assert [alert.rule for alert in one.told()] == ["recovered", "link-down"]


def test_those_that_wait_are_counted_no_further_than_a_sentence_needs(
    watched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = watched()
    one.node.accept_many(3)
    one.node.claim(free=1)  # one of them is on its way
    with one.node.database.read() as conn:
        assert alerts.counts(conn, one.node.now).waiting == 3
        monkeypatch.setattr(alerts, "COUNTED", 1)
        assert alerts.counts(conn, one.node.now).waiting == 2


def test_a_clock_that_is_wrong_is_told_of_until_it_is_right(watched: Make) -> None:
    one = watched()
    one.node.probe(master_time_offset_s=365 * 86_400.0)
    one.look()
    assert one.standing() == ["clock-wrong"]
    assert "365 d behind" in one.told()[0].text
    one.node.probe(master_time_offset_s=0.5)
    one.look()
    assert one.standing() == []


def test_a_device_that_holds_todays_results_and_is_silent_for_an_hour_is_told_of_until_it_is_heard(
    watched: Make,
) -> None:
    one = watched()

    def report(holds: int, day: str) -> None:
        one.node.database.write(lambda conn: devices.report(conn, one.node.now, "00000000", holds, day))

    report(2, one.node.now.date().isoformat())
    one.node.pass_time(3599)
    one.node.probe()
    one.look()
    assert "device-silent" not in one.standing()
    one.node.pass_time(1)
    one.look()
    assert "device-silent" in one.standing()
    report(2, "2013-11-30")
    one.node.pass_time(7200)
    one.look()
    assert "device-silent" not in one.standing(), "that day is over"


def test_its_sentence_follows_the_facts_and_nobody_is_told_again(watched: Make) -> None:
    one = watched()
    for count, event in enumerate(("bushy", "richmond"), start=1):
        one.node.accept(event)
        one.node.try_one(rejected())
        one.look()
        assert [alert.text.count(f"{count} submission") for alert in one.told()] == [1]


def test_a_message_waits_while_the_webhook_is_down_and_arrives_once_when_it_is_back(
    watched: Make, free_port: Callable[[], int]
) -> None:
    port = free_port()
    one = watched(alert_webhook_url=f"http://127.0.0.1:{port}/hook")
    one.node.accept()
    one.node.try_one(rejected())
    one.look()
    one.send()
    with webhook(port, status=503) as got:
        one.node.pass_time(5)
        one.send()
    assert len(got) == 1, "a refusal is no arrival"
    with webhook(port) as got:
        one.node.pass_time(1)
        for _ in range(3):
            one.node.pass_time(301)
            one.send()
    assert [message["subject"] for message in got] == ["resultsq: rejected"]
    assert "of results its team sends a correction" in got[0]["text"]


def test_a_message_is_tried_no_sooner_than_its_back_off(watched: Make, free_port: Callable[[], int]) -> None:
    port = free_port()
    one = watched(alert_webhook_url=f"http://127.0.0.1:{port}/hook")
    one.node.accept()
    one.node.try_one(rejected())
    one.look()
    one.send()
    with webhook(port) as got:
        one.send()
        assert got == []
        one.node.pass_time(301)
        one.send()
    assert len(got) == 1


def test_an_alert_is_queued_as_a_mail_to_each_operator_and_posted_to_the_webhook(
    watched: Make, free_port: Callable[[], int]
) -> None:
    hook, mail = free_port(), free_port()
    one = watched(
        alert_webhook_url=f"http://127.0.0.1:{hook}/",
        smtp_url=f"smtp://127.0.0.1:{mail}",
        alert_mail_to="ops@example.org, night@example.org",
    )
    one.node.accept()
    one.node.try_one(rejected())
    for _ in range(2):
        one.look()
    with webhook(hook) as posted:
        one.send()
    assert [message["subject"] for message in posted] == ["resultsq: rejected"]
    mails = queued_mails(one.node.database)
    assert [said["address"] for said in mails] == ["ops@example.org", "night@example.org"]
    assert {said["subject"] for said in mails} == {"resultsq: rejected"}
    assert all(said["repeat"] and "its team sends a correction" in said["text"] for said in mails)


def test_no_mail_is_queued_when_no_mail_server_is_set(watched: Make) -> None:
    one = watched(alert_mail_to="ops@example.org")
    one.node.accept()
    one.node.try_one(rejected())
    one.look()
    assert one.standing() == ["rejected"]
    assert queued_mails(one.node.database) == []


def test_a_mail_that_the_version_before_kept_for_an_alert_is_queued_once(watched: Make) -> None:
    one = watched(smtp_url="smtp://127.0.0.1:9", alert_mail_to="ops@example.org")
    kept = {"road": "mail", "subject": "resultsq: disk-low", "text": "Little room.", "created_at": one.node.now}
    one.node.database.write(lambda conn: conn.execute(insert(AlertMessage), {**kept, "next_attempt_at": one.node.now}))
    for _ in range(2):
        one.send()
        one.node.pass_time(400)
    (said,) = queued_mails(one.node.database)
    assert (said["subject"], said["address"]) == ("resultsq: disk-low", "ops@example.org")


def test_the_good_news_is_told_once_when_all_that_waited_is_published(watched: Make) -> None:
    one = watched(alert_webhook_url="http://127.0.0.1:9/")
    one.node.accept_many(3)
    one.down(minutes=10)
    one.look()
    one.node.probe()
    one.node.pass_time(1)
    one.look()
    assert not any(alert.rule == "recovered" for alert in one.told()), "they still wait"
    for _ in range(3):
        one.node.pass_time(CEILING)
        one.node.publish_one()
    for _ in range(2):
        one.look()
        one.node.pass_time(60)
    assert [alert.text[:41] for alert in one.told() if alert.rule == "recovered"] == [
        "The link is back: 3 published in 25 s. No"
    ]


def test_a_master_that_answers_and_takes_nothing_is_told_of_until_it_takes_one(watched: Make) -> None:
    one = watched()
    one.node.accept_many(6)
    began = one.node.stall()
    one.look()
    assert one.standing() == []
    one.node.pass_time(5 * 60)
    one.look()
    assert one.standing() == ["link-down"]
    assert f"takes no results, since {began:%d %B %H:%M} UTC. 6 submissions waiting" in one.told()[0].text
    one.node.probe()
    one.node.publish_one()
    one.look()
    assert one.standing() == []


def oldest_waits(one: Watched) -> Callable[[], object]:
    one.node.accept()
    one.node.pass_time(3 * 3600)
    return one.node.publish_one


def disk_is_not_there(one: Watched) -> Callable[[], object]:
    folder = one.settings.data_dir
    aside = folder.rename(folder.with_name(f"{folder.name}-aside"))
    return lambda: aside.rename(folder)


def sheets_clash(one: Watched) -> Callable[[], object]:
    made = one.node.accept().id
    one.node.try_one(moved("another", 1, b"{}"))
    return lambda: one.node.database.write(
        lambda conn: submissions.publish_over(conn, one.node.now, "op", made, "ours are right")
    )


def action_is_of_a_newer_version(one: Watched) -> Callable[[], object]:
    database = one.node.database
    one.node.accept()
    number = actions.start(database, one.node.now, "op", "retry", Filter(events=("bushy",)), "a reason")
    database.write(lambda conn: conn.execute(update(Action).where(Action.id == number).values(verb="polish")))
    action_runner.go_on(database, one.clock)
    return lambda: database.write(lambda conn: actions.cancel(conn, one.node.now, number, "op"))


@pytest.mark.parametrize(
    ("rule", "begin", "words"),
    [
        ("oldest-waiting", oldest_waits, "The oldest of 1 submission waiting"),
        ("disk-unwritable", disk_is_not_there, "data folder: it is not there"),
        ("conflict", sheets_clash, "An operator must decide"),
        ("action-fails", action_is_of_a_newer_version, "1 action of an operator cannot be carried out"),
    ],
)
def test_what_really_happens_is_told_by_webhook_and_mail_and_so_is_its_end(
    watched: Make,
    free_port: Callable[[], int],
    rule: str,
    begin: Callable[[Watched], Callable[[], object]],
    words: str,
) -> None:
    hook, post = free_port(), free_port()
    one = watched(
        alert_webhook_url=f"http://127.0.0.1:{hook}/",
        smtp_url=f"smtp://127.0.0.1:{post}",
        alert_mail_from="node@example.org",
        alert_mail_to="operators@example.org",
    )
    one.look()
    assert one.standing() == []
    with webhook(hook) as got:
        end = begin(one)
        one.look()
        one.send()
        assert [message["subject"] for message in got] == [f"resultsq: {rule}"]
        assert words in got[0]["text"]
        end()
        one.look()
        one.send()
    assert one.standing() == []
    assert [message["subject"] for message in got] == [f"resultsq: {rule}", f"resultsq: over: {rule}"]
    subjects = [said["subject"] for said in queued_mails(one.node.database)]
    assert subjects == [f"resultsq: {rule}", f"resultsq: over: {rule}"]
