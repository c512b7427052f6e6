"""When somebody is told, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from resultsq.domain.link import LinkState
from resultsq.watch import rules
from resultsq.watch.rules import AlertFacts, AlertRule, AlertThresholds

NOW = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
LIMITS = AlertThresholds(
    oldest_waiting=timedelta(minutes=30), link_down=timedelta(minutes=5), disk_low_bytes=1_000_000_000
)
QUIET = AlertFacts(
    link=LinkState.UP,
    link_since=NOW - timedelta(days=3),
    oldest_waiting_at=None,
    waiting=0,
    rejected={},
    conflicts={},
    refused_since=None,
    refused_events=0,
    disk_free_bytes=50_000_000_000,
)
MINUTE = timedelta(minutes=1)


def test_nobody_is_told_anything_when_all_is_well() -> None:
    assert rules.raised(QUIET, LIMITS, NOW) == {}


@pytest.mark.parametrize(
    ("rule", "just_so", "not_yet"),
    [
        (
            AlertRule.LINK_DOWN,
            {"link": LinkState.DOWN, "link_since": NOW - 5 * MINUTE},
            {"link": LinkState.DOWN, "link_since": NOW - 4.9 * MINUTE},
        ),
        (
            AlertRule.OLDEST_WAITING,
            {"oldest_waiting_at": NOW - 30 * MINUTE, "waiting": 1},
            {"oldest_waiting_at": NOW - 29.9 * MINUTE, "waiting": 1},
        ),
        (
            AlertRule.LINK_DOWN,
            {"takes_nothing_since": NOW - 5 * MINUTE},
            {"takes_nothing_since": NOW - 4.9 * MINUTE},
        ),
        (AlertRule.REJECTED, {"rejected": {"results": 1}}, {"rejected": {}}),
        (AlertRule.CONFLICT, {"conflicts": {"results": 1}}, {"conflicts": {}}),
        (AlertRule.CREDENTIALS_REFUSED, {"refused_since": NOW}, {"refused_since": None}),
        (AlertRule.CREDENTIALS_REFUSED, {"refused_events": 2}, {"refused_events": 0}),
        (AlertRule.DISK_LOW, {"disk_free_bytes": 999_999_999}, {"disk_free_bytes": 1_000_000_000}),
        (AlertRule.DISK_LOW, {"disk_free_bytes": 0}, {"disk_free_bytes": None}),
        (AlertRule.DAMAGED, {"damaged": 1}, {"damaged": 0}),
        (AlertRule.ASIDE, {"aside": 1}, {"aside": 0}),
        (AlertRule.MASTER_LOST, {"lost_there": 1}, {"lost_there": 0}),
        (AlertRule.QUOTA, {"over_quota": ("bushy",)}, {"over_quota": ()}),
        (AlertRule.WORKER_SILENT, {"worker_seen_at": NOW - 0.5 * MINUTE}, {"worker_seen_at": NOW - 0.49 * MINUTE}),
        (AlertRule.WEB_SILENT, {"web_seen_at": NOW - 0.5 * MINUTE}, {"web_seen_at": None}),
        (AlertRule.DEVICE_SILENT, {"silent_devices": 1}, {"silent_devices": 0}),
        (AlertRule.CLOCK_WRONG, {"clock_off_s": 3601.0}, {"clock_off_s": 0.0}),
        (AlertRule.CLOCK_WRONG, {"clock_off_s": -3601.0}, {"clock_off_s": 0.0}),
    ],
)
def test_one_rule_alone_holds_from_its_limit_on(
    rule: AlertRule, just_so: dict[str, object], not_yet: dict[str, object]
) -> None:
    assert list(rules.raised(replace(QUIET, **just_so), LIMITS, NOW)) == [rule]  # type: ignore[arg-type]
    assert not rules.raised(replace(QUIET, **not_yet), LIMITS, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (LinkState.DOWN, "cannot be reached"),
        (LinkState.MASTER_DOWN, "out of order"),
        (LinkState.NOT_OUR_MASTER, "captive portal"),
    ],
)
def test_it_says_whether_it_is_the_link_or_the_master_and_that_nothing_need_be_done(
    state: LinkState, words: str
) -> None:
    facts = replace(QUIET, link=state, link_since=NOW - 10 * MINUTE, waiting=312)
    text = rules.raised(facts, LIMITS, NOW)[AlertRule.LINK_DOWN]
    assert words in text
    assert "since 07 December 11:50 UTC" in text
    assert "312 submissions waiting; they publish by themselves" in text


def test_of_very_many_that_wait_no_more_are_counted_than_a_sentence_needs() -> None:
    down = replace(QUIET, link=LinkState.DOWN, link_since=NOW - 10 * MINUTE, waiting=10_001)
    assert "More than 10,000 submissions waiting; they publish" in rules.raised(down, LIMITS, NOW)[AlertRule.LINK_DOWN]
    late = replace(QUIET, oldest_waiting_at=NOW - 60 * MINUTE, waiting=10_001)
    told = rules.raised(late, LIMITS, NOW)[AlertRule.OLDEST_WAITING]
    assert "The oldest of more than 10,000 submissions waiting was accepted" in told


def test_all_of_them_are_told_when_everything_is_wrong() -> None:
    facts = AlertFacts(
        link=LinkState.DOWN,
        link_since=NOW - 60 * MINUTE,
        oldest_waiting_at=NOW - 60 * MINUTE,
        waiting=5,
        rejected={"results": 1},
        conflicts={"results": 1},
        refused_since=NOW,
        refused_events=1,
        disk_free_bytes=0,
        damaged=1,
        aside=1,
        disk_trouble="its disk is full",
        failing_actions=1,
        lost_there=1,
        over_quota=("bushy",),
        clock_off_s=61.0,
        worker_seen_at=NOW - MINUTE,
        web_seen_at=NOW - MINUTE,
        silent_devices=1,
        no_mail_since=NOW - LIMITS.link_down,
        mails_waiting=1,
    )
    assert set(rules.raised(facts, LIMITS, NOW)) == set(AlertRule) - {AlertRule.RECOVERED}


def test_three_of_the_events_over_their_quota_are_named_and_the_others_counted() -> None:
    facts = replace(QUIET, over_quota=("bushy", "kingston", "richmond", "wimbledon"))
    assert rules.raised(facts, LIMITS, NOW)[AlertRule.QUOTA].startswith(
        "bushy, kingston, richmond and 1 more handed in"
    )


def test_the_good_news_says_how_many_and_how_fast() -> None:
    assert rules.recovered(312, 41.2).startswith("The link is back: 312 published in 41 s.")
