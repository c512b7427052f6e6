"""An athlete's profile and card: for a team on whose sheets the athlete is, and the same answer for all others."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from resultsq.app import profiles
from resultsq.domain import code128
from resultsq.domain.athletes import Athlete
from resultsq.domain.submission import State
from resultsq.store.admin import events
from resultsq.store.engine.tables import Submission
from resultsq.wakeup import Bell
from resultsq.web.form import profile
from tests.integration.form.conftest import AS_OF, FILES, NOW, PEOPLE, Browser, Site
from tests.integration.store.test_plans import heard
from tests.support.athletes import load

JANE = "/athletes/A1234567"
GONE = "There is no such athlete on your"


@pytest.fixture
def listed(site: Site) -> Site:
    load(site.database, [*PEOPLE, Athlete("A42", "Never HERE", None, "bushy")], AS_OF)
    return site


def test_a_team_sees_the_profile_of_an_athlete_on_its_sheet(listed: Site) -> None:
    team = listed.browser("bushy")
    team.submit()
    answer = team.get(JANE)
    assert answer.status_code == 200
    for text in ("Jane SMITH", "Harriers", "A1234567", "57", "7 December 2013", "00:17:31", "provisional"):
        assert text in answer.text
    assert "Names are as of 06:58." in answer.text
    assert answer.headers["Last-Modified"] == "Sat, 07 Dec 2013 06:58:00 GMT"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "<svg" in answer.text


@pytest.mark.parametrize("number", ["A42", "A99999", "A8888", "A1", "x", "A" + "9" * 40, "1234567"])
def test_unknown_retired_and_others_athletes_get_one_answer(listed: Site, number: str) -> None:
    team = listed.browser("bushy")
    team.submit()
    answer = team.get(f"/athletes/{number}")
    assert answer.status_code == 404
    assert GONE in answer.text
    assert "Never HERE" not in answer.text


def test_another_team_and_strangers_see_nothing(listed: Site) -> None:
    listed.browser("bushy").submit()
    assert listed.browser("richmond").get(JANE).status_code == 404
    for path in (JANE, "/athletes/A42"):
        answer = listed.browser().get(path)
        assert answer.status_code == 303
        assert "/login" in answer.location


def test_nobody_goes_through_the_numbers(listed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (profile.MOST, profile.WITHIN_S) == (60, 60.0)
    monkeypatch.setattr(profile, "MOST", 5)
    team = listed.browser("bushy")
    team.submit()
    answers = [team.get(f"/athletes/A{n}").status_code for n in range(1, profile.MOST + 1)]
    assert set(answers) == {404}
    refused = team.get(JANE)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]
    listed.clock.advance(profile.WITHIN_S + 1)
    assert team.get(JANE).status_code == 200


def test_the_receipt_links_athletes_who_have_a_profile(listed: Site) -> None:
    team = listed.browser("bushy")
    receipt = f"/submissions/{team.submit()}"
    page = team.get(receipt)
    assert f'href="{JANE}"' in page.text
    assert "opens the athlete" in page.text
    assert "Names are as of 06:58." in page.text
    assert page.headers["Age"] == "13440"
    assert f'href="{JANE}"' not in listed.browser("viewer").get(receipt).text


def test_there_is_no_profile_without_a_list(team: Browser) -> None:
    team.submit(FILES)
    assert team.get(JANE).status_code == 404


@pytest.fixture
def shown(tmp_path: Path, populated: Path, bell: Bell) -> Iterator[Site]:
    """A node whose operator made profiles public."""
    shutil.copy(populated, tmp_path / "resultsq.db")
    made = Site(tmp_path, bell, public_profiles=True)
    load(made.database, PEOPLE, AS_OF)
    yield made
    made.database.close()


def test_a_public_profile_has_initials_and_what_is_published_alone(shown: Site) -> None:
    team = shown.browser("bushy")
    submission = team.submit()
    pages = {who: shown.browser(who).get(JANE) for who in (None, "viewer", "bushy")}
    assert {answer.status_code for answer in pages.values()} == {200}
    for who in (None, "viewer"):
        assert "J. S." in pages[who].text
        assert "A1234567" in pages[who].text
        assert "Names are as of 06:58." in pages[who].text
        assert pages[who].headers["Age"] == "13440"
        assert "no-store" in pages[who].headers["Cache-Control"]
        for text in ("Jane", "SMITH", "Harriers", "Home event", "as the master counted", "00:17:31"):
            assert text not in pages[who].text, text
    assert "Jane SMITH" in pages["bushy"].text
    published = update(Submission).where(Submission.id == submission).values(state=State.PUBLISHED)
    shown.database.write(lambda conn: conn.execute(published))
    assert "00:17:31" in shown.browser().get(JANE).text


def test_a_public_profile_costs_the_same_however_many_events_are_here(shown: Site) -> None:
    submission = shown.browser("bushy").submit()
    published = update(Submission).where(Submission.id == submission).values(state=State.PUBLISHED)
    shown.database.write(lambda conn: conn.execute(published))
    others = [f"a-{n}" for n in range(profiles.MOST_EVENTS + 10)]
    said = "Only the home event and some others were looked through"
    assert said not in shown.browser().get(JANE).text
    shown.database.write(lambda conn: [events.add(conn, NOW, slug, slug, "Europe/London") for slug in others])
    with heard(shown.database, "events") as statements:
        text = shown.browser().get(JANE).text
    assert "00:17:31" in text  # at home, though so many come before it
    assert said in text
    assert len(statements) < 5
    assert all("LIMIT" in text or "slug = " in text for text, _ in statements)
    with heard(shown.database) as of_sheets:
        shown.browser().get(JANE)
    assert len(of_sheets) == 1  # of all events that are looked through


def test_nobody_goes_through_the_numbers_of_public_profiles(shown: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (profile.MOST_PUBLIC, profile.PUBLIC_WITHIN_S) == (30, 3600.0)
    monkeypatch.setattr(profile, "MOST_PUBLIC", 5)
    numbers = ["A8888", "x", *(f"A{n}" for n in range(1, profile.MOST_PUBLIC - 1))]
    answers = [shown.browser().get(f"/athletes/{number}") for number in numbers]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text.replace(number, "") for number, answer in zip(numbers, answers, strict=True)}) == 1
    assert shown.browser().get(JANE).status_code == 429
    shown.clock.advance(profile.PUBLIC_WITHIN_S + 1)
    assert shown.browser().get(JANE).status_code == 200


def test_a_barcode_is_as_another_encoder_makes_it() -> None:
    # python-barcode 0.16.1, set B: start, A1234567, check, stop
    assert code128.widths("A1234567") == "2112141113231232212232112211322212312132122231123121312313112331112"
    assert len(code128.widths("A1")) == 6 * 4 + 7
    with pytest.raises(ValueError, match="set B"):
        code128.widths("é")
