"""The post that an outage's figures make."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from resultsq.domain.delays import Delays
from resultsq.domain.incident import Incident, markdown

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
    assert post.startswith("# Results were delayed on Saturday 07 December 2013\n")
    assert "From 07:15:00 on Saturday 07 December 2013 to 12:05:00 on Saturday 07 December 2013, for 4 h 50 min" in post
    assert "because nothing was listening at the master's address." in post
    for line in (
        "| submissions affected | 315 |",
        "| published since | 312 |",
        "| delay, half of them | 2 min |",
        "| longest delay | 5 min |",
        "| last of them published | 12:05:41 on Saturday 07 December 2013, 41 s after the end |",
    ):
        assert line in post.splitlines()


def test_times_are_those_of_the_zone_when_it_is_another() -> None:
    assert "From 18:15:00 on Saturday 07 December 2013" in markdown(SATURDAY, SYDNEY)


def test_it_goes_on_when_it_has_not_ended() -> None:
    post = markdown(replace(SATURDAY, ended_at=None, delays=Delays(), last_published_at=None), LONDON)
    assert "Since 07:15:00" in post
    assert "It goes on." in post
    assert "after the end" not in post
    assert "delay, half" not in post, "nothing was published yet, which is no delay of 0 s"
