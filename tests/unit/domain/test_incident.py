"""The post that an outage's figures make."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from resultsq import languages
from resultsq.domain.current_language import in_language
from resultsq.domain.delays import Delays
from resultsq.domain.incident import Incident, markdown
from resultsq.domain.outcome import Cause

BEGAN = datetime(2013, 12, 7, 7, 15, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=4, minutes=50)
LONDON, SYDNEY = ZoneInfo("Europe/London"), ZoneInfo("Australia/Sydney")
SATURDAY = Incident(
    id=1,
    began_at=BEGAN,
    ended_at=ENDED,
    cause="refused",
    probes=17_400,
    accepted=300,
    events=280,
    delays=Delays.of(dict.fromkeys(range(1, 313), 1)),
    still_waiting=0,
    not_published=3,
    last_published_at=ENDED + timedelta(seconds=41),
)


def test_the_post_says_when_how_long_why_and_how_many() -> None:
    post = markdown(SATURDAY, LONDON)
    assert post.startswith("# Results were delayed on Saturday, 7 December 2013\n")
    assert (
        "From 07:15 GMT to 12:05 GMT (4 h 50 min) results could not be published. "
        "The central results system could not be reached." in post
    )
    for line in (
        "| results delayed | 315 |",
        "| of these, published by now | 312 |",
        "| replaced, withdrawn or being checked by people | 3 |",
        "| events with delays | 280 |",
        "| half of them waited no longer than | 2 min |",
        "| longest wait | 5 min |",
        "| last of them published | 12:05 GMT, 41 s after the end |",
    ):
        assert line in post.splitlines()


def test_each_kind_has_its_count_when_there_are_several() -> None:
    post = markdown(replace(SATURDAY, by_kind={"results": 300, "messages": 15}), LONDON).splitlines()
    first = post.index("| submissions delayed | 315 |")
    assert post[first + 1 : first + 3] == ["| of these, messages | 15 |", "| of these, results | 300 |"]
    one = markdown(replace(SATURDAY, by_kind={"results": 315}), LONDON).splitlines()
    assert "| results delayed | 315 |" in one
    assert not [line for line in one if "of these, results" in line]


def test_each_count_is_a_part_of_the_one_that_is_named_first() -> None:
    post = markdown(replace(SATURDAY, still_waiting=20), LONDON)
    counts = [int(number) for number in re.findall(r"\| (\d+)(?:,.*)? \|$", post, re.MULTILINE)]
    assert counts[0] == sum(counts[1:4]) == 312 + 20 + 3


@pytest.mark.parametrize("cause", [*Cause, "a cause of a later version"])
def test_the_reason_is_fit_for_the_public_when_the_cause_is_any(cause: str) -> None:
    said = markdown(replace(SATURDAY, cause=cause), LONDON)
    assert re.search(r"The central results system could not [a-z ]+\.", said)


def test_times_are_those_of_the_zone_and_name_it_when_it_is_another() -> None:
    assert "From 18:15 AEDT to 23:05 AEDT" in markdown(SATURDAY, SYDNEY)


def test_both_days_are_named_when_it_ends_on_another() -> None:
    said = markdown(replace(SATURDAY, ended_at=ENDED + timedelta(days=1)), LONDON)
    assert "From 07:15 GMT to 12:05 GMT on Sunday, 8 December 2013" in said


def test_it_goes_on_when_it_has_not_ended() -> None:
    post = markdown(replace(SATURDAY, ended_at=None, delays=Delays(), last_published_at=None), LONDON)
    assert "Since 07:15 GMT" in post
    assert "This is still going on." in post
    assert "after the end" not in post
    assert "waited no longer" not in post, "nothing was published yet, which is no delay of 0 s"


def test_the_post_is_in_one_language_to_the_last_word() -> None:
    with in_language(languages.language("ar")):
        several = replace(SATURDAY, by_kind={"results": 1, "messages": 1})
        for one in (several, replace(several, ended_at=ENDED + timedelta(days=1)), replace(several, ended_at=None)):
            post = markdown(one, LONDON, lambda kind: "فئة")
            assert re.findall("[a-z]+", post) == []
            assert "2013" in post
