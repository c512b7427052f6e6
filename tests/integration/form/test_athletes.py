"""Names beside barcodes, misread numbers and who was meant, with the list of athletes that the node keeps."""

import pytest

from resultsq.domain.outcome import Cause
from resultsq.domain.ports import ProbeAnswer
from resultsq.store.outbox import links
from tests.integration.form.conftest import AS_OF, DAY, FILES, NOW, PEOPLE, STOPWATCH, Browser, Site
from tests.support.athletes import load


@pytest.fixture
def listed(site: Site) -> Site:
    load(site.database, PEOPLE, AS_OF)
    return site


def scanned(*athletes: str) -> list[tuple[str, bytes]]:
    lines = "".join(f"{one},P{n:04},07/12/2013 09:20:00\n" for n, one in enumerate(athletes, 1))
    return [("stopwatch.csv", STOPWATCH), ("scanner.csv", lines.encode())]


def test_the_page_names_nobody_and_says_nothing_of_a_list_when_there_is_none(team: Browser) -> None:
    team.drop(FILES)
    answer = team.get("/submit/bushy")
    assert "Names are as of" not in answer.text
    assert "athlete-unknown" not in answer.text
    assert "Age" not in answer.headers


def test_a_name_stands_beside_each_barcode_and_as_of_when(listed: Site) -> None:
    team = listed.browser("bushy")
    team.drop(FILES)
    team.client.post("/submit/bushy/volunteers", data={**_volunteer(team), "athlete": "A1234568", "role": "Marshal"})
    answer = team.get("/submit/bushy")
    for name in ("Jane SMITH", "Tom BROWN", "Eva GREEN"):
        assert name in answer.text
    assert "Names are as of 06:58." in answer.text
    assert "cannot be reached" not in answer.text
    assert answer.headers["Age"] == str(3 * 3600 + 44 * 60)
    assert answer.headers["Last-Modified"] == "Sat, 07 Dec 2013 06:58:00 GMT"
    assert "no-store" in answer.headers["Cache-Control"]


def _volunteer(team: Browser) -> dict[str, str]:
    return team.hidden("/submit/bushy", "/submit/bushy/volunteers")


def test_the_page_says_that_the_master_is_away(listed: Site) -> None:
    def fail(_: object = None) -> None:
        for _n in range(4):
            number = listed.database.write(lambda conn: links.start_probe(conn, NOW, 0.5))
            answer = ProbeAnswer(Cause.REFUSED, "", 0.01)
            listed.database.write(lambda conn: links.probe_answered(conn, NOW, number, answer, 8, 0.5))  # noqa: B023

    fail()
    team = listed.browser("bushy")
    team.drop(FILES)
    assert "The master cannot be reached now" in team.get("/submit/bushy").text


def test_a_misread_number_is_told_and_mended_by_one_tap(listed: Site) -> None:
    team = listed.browser("bushy")
    team.drop(scanned("A1234576", "A99", "A8888"))
    page = team.get("/submit/bushy").text
    assert "As of 06:58, no athlete has the number A1234576 (position 1)." in page
    assert "It was Jane SMITH, A1234567" in page
    assert "It was Ann JONES, A1234577" in page
    assert "Eva GREEN" not in page  # near, too, and never here
    assert "As of 06:58, no athlete has the number A99 (position 2)." in page
    assert "A8888 (position 3) is a number that is no longer used" in page
    assert page.index("It was Jane SMITH") < page.index("It was Ann JONES")  # who ran more often
    team.change("edit-athlete", position="1", athlete="A1234567")
    page = team.get("/submit/bushy").text
    assert "A1234576 (position 1)" not in page
    assert "Jane SMITH" in page
    assert team.send().status_code == 303


def test_a_volunteers_misread_number_is_told_and_mended_by_one_tap(listed: Site) -> None:
    team = listed.browser("bushy")
    team.drop(scanned("A1234577"))

    def add(athlete: str, role: str) -> None:
        hidden = {name: value for name, value in _volunteer(team).items() if name != "remove"}
        team.client.post("/submit/bushy/volunteers", data={**hidden, "athlete": athlete, "role": role})

    for athlete, role in (("A1234576", "Marshal"), ("A1234576", "Timekeeper"), ("A8888", "Tail Walker")):
        add(athlete, role)
    page = team.get("/submit/bushy").text
    assert "As of 06:58, no athlete has the number A1234576 of a volunteer (Marshal)." in page
    assert "It was Jane SMITH, A1234567" in page
    assert "It was Ann JONES, A1234577" in page  # who finished, too
    assert "A8888 of a volunteer (Tail Walker) is a number that is no longer used" in page
    team.change("edit-volunteer", volunteer="A1234576", athlete="A1234567")
    page = team.get("/submit/bushy").text
    assert "A1234576" not in page
    assert page.count("Jane SMITH") == 2
    assert team.send().status_code == 303


def test_who_ran_here_before_comes_first_and_who_is_on_the_sheet_is_not_offered(listed: Site) -> None:
    team = listed.browser("bushy")
    team.drop(scanned("A1234568"))  # Eva, of another event, ran here
    team.change("choose-day", date="2013-11-30")
    team.send()
    team.drop(scanned("A1234558"))
    page = team.get("/submit/bushy").text
    assert "It was Eva GREEN, A1234568" in page
    team.drop(scanned("A1234558", "A1234568"))
    page = team.get("/submit/bushy").text
    assert "It was Eva GREEN" not in page


def test_a_name_typed_into_the_field_finds_numbers(listed: Site) -> None:
    team = listed.browser("bushy")
    team.drop(scanned("A1234567"))
    answer = team.change("edit-athlete", htmx=True, position="2", athlete="jones")
    assert "This athlete has that name:" in answer.text
    assert "Ann JONES, A1234577 (bushy)" in answer.text
    assert 'value="jones"' in answer.text
    unknown = team.change("edit-athlete", htmx=True, position="2", athlete="zzz")
    assert "is not an athlete" in unknown.text
    team.change("edit-athlete", position="2", athlete="A1234577")
    assert "Ann JONES" in team.get("/submit/bushy").text


def test_another_day_is_named_with_its_date(listed: Site) -> None:
    listed.clock.advance(86_400)
    team = listed.browser("bushy")
    team.drop(scanned("A99"))
    assert "As of 06:58 on 7 December 2013, no athlete has the number A99" in team.get("/submit/bushy").text


def test_no_name_is_in_a_public_page(listed: Site) -> None:
    team = listed.browser("bushy")
    team.submit()
    for path in ("/", f"/results/bushy/{DAY}", "/status"):
        assert "Jane SMITH" not in listed.browser().get(path).text
