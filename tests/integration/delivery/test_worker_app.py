"""The worker's Celery app: what it takes from a broker, what it leaves alone, and what its tasks do."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from resultsq.delivery import app
from resultsq.delivery.app import Delivery, RetryingConsumer
from resultsq.delivery.periodic import PeriodicTask
from resultsq.domain.outcome import Cause
from resultsq.domain.ports import ReceiptPage
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.wakeup import WAKE
from tests.support.log_lines import log_lines
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode


class Woken:
    """Delivery, which notes how it is called."""

    def __init__(self) -> None:
        self.timer = self
        self.calls: list[str] = []

    def wake(self) -> None:
        self.calls.append("wake")

    def heard(self, name: str) -> None:
        self.calls.append(f"heard {name}")


def made(*tasks: PeriodicTask) -> tuple[Any, Woken]:
    delivery = Woken()
    return app.worker_app("memory://", cast(Delivery, delivery), tasks), delivery


def test_a_ring_wakes_delivery() -> None:
    worker, delivery = made()
    worker.tasks[WAKE]()
    assert delivery.calls == ["wake"]


def test_a_periodic_task_that_arrives_is_heard_and_done() -> None:
    worker, delivery = made(PeriodicTask("one", 1.0, lambda: delivery.calls.append("done")))
    worker.tasks["one"]()
    assert delivery.calls == ["heard one", "done"]


def test_a_worker_takes_no_code_from_its_broker_and_no_orders() -> None:
    conf = made()[0].conf
    assert conf.accept_content == ["json"]
    assert not conf.worker_enable_remote_control
    assert not conf.worker_send_task_events


def test_a_worker_leaves_the_log_and_its_output_alone() -> None:
    conf = made()[0].conf
    assert not conf.worker_hijack_root_logger
    assert not conf.worker_redirect_stdouts


def test_a_broker_that_is_away_ends_neither_a_worker_nor_what_it_does() -> None:
    conf = made()[0].conf
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_connection_max_retries is None
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss
    assert issubclass(conf.worker_consumer, RetryingConsumer)


def test_an_end_waits_for_a_broker_for_less_than_the_five_seconds_that_there_are() -> None:
    conf = made()[0].conf
    waits = conf.broker_transport_options
    assert waits["socket_timeout"] <= 3
    assert waits["socket_connect_timeout"] <= 3
    assert conf.broker_connection_timeout <= 3
    assert waits["health_check_interval"] <= 5, "a half-open connection is noticed in seconds"


def test_a_broker_of_no_use_is_told_once_for_each_kind_of_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(app.time, "sleep", slept.append)  # type: ignore[attr-defined]
    consumer = object.__new__(RetryingConsumer)
    consumer._told = None
    with log_lines() as lines:
        for error in (OSError(), OSError(), ValueError(), OSError()):
            consumer.on_connection_error_before_connected(error)
    assert [line["error"] for line in lines] == ["OSError", "ValueError", "OSError"]
    assert slept == [app.BROKER_REST_S] * 4


@pytest.mark.parametrize(
    ("office", "smtp", "reads"),
    [("a@b.example", "smtp://m", True), ("a@b.example", "", False), ("", "smtp://m", False)],
)
def test_the_office_reads_mails_where_it_has_an_address_and_a_server(office: str, smtp: str, reads: bool) -> None:
    settings = Settings.model_construct(office_mail=office, smtp_url=SecretStr(smtp))
    assert app._reads_mails(settings) is reads


def test_other_credentials_are_told_from_these_and_are_not_shown() -> None:
    def of(url: str, token: str) -> str:
        return app._fingerprint(Settings(master_url=SecretStr(url), master_token=SecretStr(token)))

    these = of("http://one", "secret-word")
    assert these == of("http://one", "secret-word")
    assert len({these, of("http://two", "secret-word"), of("http://one", "other")}) == 3
    assert "secret-word" not in these


def test_keys_of_clients_are_forgotten_after_ninety_days(sqlite_store: Database) -> None:
    node, clock = StoreNode(sqlite_store), ManualClock(NOW)
    task, first = app._clean_up(sqlite_store, clock), node.accept(client_key="k")
    clock.advance(timedelta(days=90).total_seconds())
    task.do()
    assert not node.accept(client_key="k").created
    clock.advance(1.0)
    task.do()
    assert node.accept(rows=2, corrects=first.id, client_key="k").created


class Master:
    """It has nothing, and notes what is made of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage:
        self.calls.append("receipts")
        return ReceiptPage((), None)

    def close(self) -> None:
        self.calls.append("close")


def test_a_comparison_that_another_worker_made_meanwhile_is_not_made_again(
    sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, clock, master, opened = StoreNode(sqlite_store), ManualClock(NOW), Master(), list[Master]()

    def open_configured(*_: object) -> Master:
        opened.append(master)
        return master

    monkeypatch.setattr(app, "open_configured", open_configured)
    task = app._compare(Settings(data_dir=tmp_path), sqlite_store, clock)
    node.probe(Cause.REFUSED)
    assert not task.due()
    task.do()
    assert opened == []
    node.probe()
    clock.advance(1.0)
    assert task.due()
    task.do()
    assert (len(opened), master.calls) == (1, ["receipts", "close"])
    task.do()
    assert len(opened) == 1
