"""The work in progress: what comes in, what is mended, what is kept, and one submission at its end."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from werkzeug.test import TestResponse

from resultsq.domain.sheet import parse
from resultsq.domain.submission import State
from resultsq.store.admin import events, notices, quotas
from resultsq.store.engine.tables import DraftRow, Submission
from resultsq.store.views import queries, versions
from tests.integration.form.conftest import DAY, FILES, NOW, SCANNER, STOPWATCH, Browser, Site

PAGE = "/submit/bushy"
BAD_SCANNER = SCANNER + b"A7654321,P0002,07/12/2013 09:22:00\n"


def submissions(site: Site, event: str = "bushy") -> list[versions.Version]:
    with site.database.read() as conn:
        found = events.find(conn, event)
        assert found is not None
        return versions.of_event(conn, found.id, 100)


def sheet_of(site: Site, submission: str) -> Any:
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
        assert found is not None
        body = queries.body(conn, found.seq)
    assert body is not None
    return parse(body)


def test_files_become_the_sheet_that_is_submitted_when_nothing_is_wrong(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    sheet = sheet_of(site, submission)
    assert [(row.time, row.athlete) for row in sheet.finishers] == [
        ("00:17:31", "A1234567"),
        ("00:18:02", None),
        ("00:19:40", "A7654321"),
    ]
    assert (sheet.event, str(sheet.date), sheet.submitted_by) == ("bushy", DAY, "bushy")
    receipt = team.get(f"/submissions/{submission}").text
    assert "Saved here at 10:42" in receipt
    assert submission in receipt
    assert "sha-256=:" in receipt
    assert "You are next." in receipt


def test_a_problem_is_told_beside_its_row_and_shuts_the_button_when_it_blocks(team: Browser) -> None:
    page = team.drop([("stopwatch.csv", STOPWATCH), ("scanner.csv", BAD_SCANNER)], htmx=True).text
    assert page.lstrip().startswith('<div id="work"'), "htmx gets a part of the page"
    row = page[page.index('id="row-2"') : page.index('id="row-3"')]
    assert "A7654321 is in positions 2 and 3" in row
    assert "A7654321 was in position 3" in row
    assert 'id="send" disabled' in page
    assert "Not yet. One problem blocks publication" in page
    refused = team.send()
    assert refused.location.endswith(PAGE), "the button is shut on the server too"
    mended = team.change("choose-token", htmx=True, athlete="A7654321", token="3").text
    assert "nothing is wrong" in mended
    assert 'id="send" disabled' not in mended


def test_a_correction_is_undone_when_asked(team: Browser) -> None:
    team.drop(FILES)
    changed = team.change("edit-athlete", htmx=True, position="2", athlete="A42").text
    assert "Position 2: an Unknown became A42." in changed
    undone = team.post(f"{PAGE}/undo", {}, PAGE, htmx=True).text
    assert "A42" not in undone


@pytest.mark.parametrize("htmx", [True, False])
def test_a_correction_that_makes_no_sense_changes_nothing_and_is_told_when_tried(team: Browser, htmx: bool) -> None:
    team.drop(FILES)
    before = team.get(PAGE).text
    answer = team.change("edit-time", htmx=htmx, position="9", time="20:00")
    assert "There is no position 9" in answer.text
    assert "There is no such correction." in team.change("burn", htmx=True).text
    assert [team.get(PAGE).text.count(mark) for mark in (' class="row-of"', "00:")] == [
        before.count(mark) for mark in (' class="row-of"', "00:")
    ]


def test_work_is_there_on_another_device_when_the_tab_was_closed(site: Site, team: Browser) -> None:
    team.drop(FILES)
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    other = site.browser("bushy")
    assert "A42" in other.get(PAGE).text
    assert "A42" not in site.browser("operator").get(PAGE).text, "another account has work of its own"


def test_the_slower_of_two_devices_is_told_when_both_change_what_was_shown(site: Site, team: Browser) -> None:
    team.drop(FILES)
    other = site.browser("bushy")
    stale = other.hidden(PAGE, f"{PAGE}/volunteers")
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    answer = other.client.post(
        f"{PAGE}/change",
        data={**stale, "action": "edit-athlete", "position": "2", "athlete": "A43"},
        headers={"HX-Request": "true"},
    )
    assert "perhaps on another device" in answer.text
    assert "A42" in answer.text
    assert "A43" not in answer.text
    added = other.drop([("more.csv", b"A55,P0002,\n")], htmx=True)
    assert "perhaps on another device" not in added.text, "adding a file overwrites nothing"


def test_a_file_that_cannot_be_read_blocks_until_somebody_says_that_it_is_not_needed(team: Browser) -> None:
    page = team.drop([*FILES, ("scans.zip", b"PK\x03\x04 scans.txt")], htmx=True).text
    assert "scans.zip" in page
    assert 'id="send" disabled' in page
    assert "scans.zip" in team.get(PAGE).text, "it is still said when the page is loaded anew"
    gone = team.post(f"{PAGE}/unneeded", {}, PAGE, htmx=True).text
    assert "scans.zip" not in gone
    assert 'id="send" disabled' not in gone


def test_a_picture_is_told_once_and_stands_in_nobodys_way(team: Browser) -> None:
    picture = ("holiday.jpg", b"\xff\xd8\xff\xe0 picture")
    assert 'id="send" disabled' in team.drop([FILES[0], picture], htmx=True).text, "the athletes may be in it alone"
    page = team.drop([FILES[1]], htmx=True).text
    assert page.count("holiday.jpg is a picture, and nothing was taken from it.") == 1
    assert 'id="send" disabled' not in page
    gone = team.post(f"{PAGE}/unneeded", {}, PAGE, htmx=True).text
    assert "holiday.jpg" not in gone


def test_a_file_that_could_not_be_read_is_forgotten_when_a_good_one_of_its_name_comes(team: Browser) -> None:
    assert 'id="send" disabled' in team.drop([("stopwatch.csv", STOPWATCH), ("scanner.csv", b"\0")], htmx=True).text
    assert 'id="send" disabled' not in team.drop([("scanner.csv", SCANNER)], htmx=True).text


def test_the_same_file_counts_once_when_it_is_dropped_twice(team: Browser) -> None:
    team.drop(FILES)
    assert team.drop(FILES, htmx=True).text.count("Stopwatch: 3 times") == 1


def test_pasted_rows_are_read_like_a_file(site: Site, team: Browser) -> None:
    pasted = "position\ttime\tathlete\n1\t17:31\tA1\n2\t18:02\t\n"
    page = team.post(f"{PAGE}/files", {"pasted": pasted}, PAGE, htmx=True).text
    assert "The sheet: 2 finishers" in page


def test_a_typed_table_of_a_thousand_rows_works(site: Site, team: Browser) -> None:
    times = [f"{20 + n // 60}:{n % 60:02}" for n in range(1000)]
    athletes = [f"A{1000 + n}" for n in range(1000)]
    answer = team.post(f"{PAGE}/table", {"time": times, "athlete": athletes}, f"{PAGE}/table?rows=1000")
    assert answer.status_code == 303
    page = team.get(PAGE).text
    assert "The sheet: 1,000 finishers" in page
    assert len(sheet_of(site, team.send().location.rpartition("/")[2]).finishers) == 1000


def test_a_typed_row_is_shown_as_it_was_typed_when_it_cannot_be_read(team: Browser) -> None:
    answer = team.post(
        f"{PAGE}/table", {"time": ["18:00", "1862", "19:00"], "athlete": ["a1", 'B"2', ""]}, f"{PAGE}/table"
    )
    assert answer.status_code == 422
    assert 'value="1862"' in answer.text
    assert 'value="B&#34;2"' in answer.text
    assert re.search(r"table-danger.{0,700}1862.{0,400}is not a time", answer.text, re.DOTALL)
    team.post(f"{PAGE}/table", {"time": ["18:00", "18:30", "19:00"], "athlete": ["a1", "A2", ""]}, f"{PAGE}/table")
    again = team.get(f"{PAGE}/table").text
    assert 'value="00:18:30"' in again, "what was typed can be typed on"
    team.post(f"{PAGE}/table", {"time": ["18:00", "18:31"], "athlete": ["A1", ""]}, f"{PAGE}/table")
    assert "The sheet: 2 finishers" in team.get(PAGE).text, "the newer table takes the older one's place"


def test_volunteers_come_by_hand_and_by_file_and_are_in_the_sheet(site: Site, team: Browser) -> None:
    team.drop([*FILES, ("roster.csv", b"athlete,role\nA77,Timekeeper\nA78,Marshal\n")])

    def without_a_button(**fields: str) -> TestResponse:
        return team.client.post(f"{PAGE}/volunteers", data={**team.hidden(PAGE, f"{PAGE}/restart"), **fields})

    assert "“99” is not an athlete" in without_a_button(athlete="99", role="Tail Walker").text
    without_a_button(athlete="a99", role="Tail Walker")
    without_a_button(remove="1")
    sheet = sheet_of(site, team.send().location.rpartition("/")[2])
    assert [(one.athlete, one.role) for one in sheet.volunteers] == [("A77", "Timekeeper"), ("A99", "Tail Walker")]


def test_lines_above_the_header_of_a_list_of_volunteers_are_named_and_block_nothing(site: Site, team: Browser) -> None:
    team.drop([*FILES, ("roster.csv", b"A76,Tail Walker\nathlete,role\nA77,Timekeeper\n")])
    page = team.get(PAGE).text
    assert "line 1 “A76,Tail Walker”" in page
    assert "Go on without this file" not in page, "the rest of it is used"
    sheet = sheet_of(site, team.send().location.rpartition("/")[2])
    assert [one.athlete for one in sheet.volunteers] == ["A77"]


def test_a_date_still_to_come_or_none_is_refused(site: Site, team: Browser) -> None:
    assert "still to come" in team.post(f"{PAGE}/date", {"date": "2013-12-08"}, PAGE, htmx=True).text
    assert "That is not a date" in team.post(f"{PAGE}/date", {"date": "soon"}, PAGE, htmx=True).text
    assert 'value="2013-12-07"' in team.get(PAGE).text, "on a Saturday it is the day itself"
    site.clock.advance(86_400)
    sunday = site.browser("richmond").drop([("t.csv", b"position,time\n1,18:00\n")], "richmond", htmx=True).text
    assert "Choose the date first." in sunday


# one submission


def test_a_double_click_and_a_reload_are_one_submission(site: Site, team: Browser) -> None:
    team.drop(FILES)
    fields = team.hidden(PAGE, f"{PAGE}/send")
    first, second = (team.client.post(f"{PAGE}/send", data=fields) for _ in range(2))
    assert first.location == second.location
    assert "/submissions/" in first.location
    assert len(submissions(site)) == 1
    assert "1. The day" in team.get(PAGE).text
    team.drop([("other.csv", b"position,time\n1,18:00\n")])
    assert team.client.post(f"{PAGE}/send", data=fields).location == first.location, "an old button sends nothing new"
    assert len(submissions(site)) == 1


def test_the_second_click_shows_the_receipt_when_the_first_has_not_cleared_the_desk_yet(
    site: Site, team: Browser
) -> None:
    team.drop(FILES)
    fields = team.hidden(PAGE, f"{PAGE}/send")
    with site.database.read() as conn:
        before = conn.execute(select(DraftRow.__table__)).one()._asdict()
    first = team.client.post(f"{PAGE}/send", data=fields)
    site.database.write(lambda conn: conn.execute(update(DraftRow).values(before)))
    assert team.client.post(f"{PAGE}/send", data=fields).location == first.location
    assert len(submissions(site)) == 1
    assert "1. The day" in team.get(PAGE).text


def test_a_button_that_showed_other_results_sends_nothing_when_they_were_changed(site: Site, team: Browser) -> None:
    team.drop(FILES)
    stale = team.hidden(PAGE, f"{PAGE}/send")
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    assert team.client.post(f"{PAGE}/send", data=stale).location.endswith(PAGE)
    assert not submissions(site)


def test_an_emptied_desk_never_repeats_a_key_when_the_next_results_come(site: Site, team: Browser) -> None:
    first = team.submit(FILES)
    team.post(f"{PAGE}/date", {"date": "2013-11-30"}, PAGE)
    second = team.submit(FILES)
    assert first != second
    assert [one.date for one in submissions(site)] == ["2013-11-30", DAY]


def test_the_originals_are_kept_with_the_submission(site: Site, team: Browser) -> None:
    submission = team.submit([*FILES, ("roster.csv", b"athlete,role\nA77,Timekeeper\n")])
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
        assert found is not None
        files = queries.files(conn, found.seq)
    assert [(file.name, file.content) for file in files[:2]] == FILES
    assert files[2].kind == "volunteers"


def test_results_for_a_day_that_has_some_wait_for_a_word_when_they_are_no_correction(site: Site, team: Browser) -> None:
    first = team.submit(FILES)
    page = team.drop([("t.csv", b"position,time\n1,18:00\n")], htmx=True).text
    assert "There are results for 7 December 2013 already" in page
    assert 'id="send" disabled' in page
    on_top = team.post(f"{PAGE}/on-top", {}, PAGE, htmx=True).text
    assert "You are correcting version 1" in on_top
    second = team.send().location.rpartition("/")[2]
    assert [(one.id, one.version) for one in submissions(site)] == [(second, 2), (first, 1)]


def test_a_correction_stands_on_the_version_that_was_shown(site: Site, team: Browser) -> None:
    first = team.submit(FILES)
    path = f"/submissions/{first}"
    assert team.post(f"{path}/correct", {}, path).location.endswith(PAGE)
    page = team.get(PAGE).text
    assert "You are correcting version 1 of 7 December 2013." in page
    assert "Unknown" in page
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    second = team.send().location.rpartition("/")[2]
    assert [row.athlete for row in sheet_of(site, second).finishers] == ["A1234567", "A42", "A7654321"]
    old = team.get(path).text
    assert old.index("Version 2 is the newest") < old.index('id="live"')
    refused = team.client.post(f"{path}/correct", data={"csrf_token": team.hidden(path, "/logout")["csrf_token"]})
    assert refused.location.endswith(path)
    assert "correct the newest one" in team.get(path).text


def test_a_correction_goes_on_when_what_it_corrects_moves_on_or_goes(site: Site, team: Browser) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    team.post(f"{path}/correct", {}, path)
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    team.post(f"{path}/withdraw", {}, path)
    page = team.get(PAGE).text
    assert "was withdrawn, so there is nothing to correct" in page
    assert 'id="send" disabled' in page
    other = site.browser("operator")
    newer = other.submit([("t.csv", b"position,time\n1,18:00\n")])
    assert f"/submissions/{newer}" in team.get(PAGE).text, "the newer one is offered to look at"
    team.post(f"{PAGE}/on-top", {}, PAGE)
    mine = team.send().location.rpartition("/")[2]
    assert [one.id for one in submissions(site)][:2] == [mine, newer]


def test_work_in_progress_is_only_replaced_when_somebody_says_so(team: Browser) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    team.drop([("t.csv", b"position,time\n1,18:00\n")])
    asked = team.post(f"{path}/correct", {}, path)
    assert "There is work in progress" in asked.text
    assert "t.csv" in team.get(PAGE).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asked.text))
    assert team.client.post(f"{path}/correct", data=fields).location.endswith(PAGE)
    assert "t.csv" not in team.get(PAGE).text


# what is in the files is nobody's code


def test_a_name_is_escaped_everywhere_when_it_is_markup(team: Browser) -> None:
    name = '<img src=x onerror=alert(1)>".csv'
    page = team.drop([(name, STOPWATCH), ("<b>bad</b>.csv", b"\0")], htmx=True).text
    assert "<img" not in page
    assert "<b>" not in page
    team.post(f"{PAGE}/unneeded", {}, PAGE)
    submission = team.send().location.rpartition("/")[2]
    for path in (f"/submissions/{submission}", "/events/bushy"):
        text = team.get(path).text
        assert "&lt;img src=x" in text
        assert "<img src=x" not in text
    download = team.get(f"/submissions/{submission}/files/1")
    assert download.headers["Content-Disposition"].startswith("attachment;")
    assert download.headers["X-Content-Type-Options"] == "nosniff"
    assert download.content_type == "application/octet-stream"


def test_a_header_stays_one_header_when_a_file_name_tries_to_end_it(team: Browser) -> None:
    submission = team.submit([('../../etc/"x\r\nSet-Cookie: a=b.csv', STOPWATCH)])
    download = team.get(f"/submissions/{submission}/files/1")
    assert "Set-Cookie" not in download.headers
    assert not {"/", "\\"} & set(download.headers["Content-Disposition"])


def test_a_body_over_the_limit_is_refused_in_words_and_nothing_is_kept(site: Site, team: Browser) -> None:
    body = b"x" * (site.settings.max_body_bytes + 1)
    answer = team.client.post(f"{PAGE}/files", data=body, content_type="multipart/form-data; boundary=big.csv")
    assert answer.status_code == 413
    assert "Nothing was stored" in answer.text
    assert 'id="state"' not in team.get(PAGE).text


def test_what_is_there_stands_in_the_field_when_it_is_to_be_mended(team: Browser) -> None:
    page = team.drop([("stopwatch.csv", STOPWATCH), ("scanner.csv", SCANNER + b"A42,PO002,<&>\n")], htmx=True).text
    assert _field_after(page, "Edit the line") == "A42,PO002,&lt;&amp;&gt;"
    team.post(f"{PAGE}/restart", {}, PAGE)
    page = team.drop([("t.csv", b"position,time,athlete\n1,18:00,A1\n2,17:00,A12345678901\n")], htmx=True).text
    assert _field_after(page, "Edit the time of position 2") == "00:17:00"
    assert _field_after(page, "Edit the athlete of position 2") == "A12345678901"


def test_a_letter_that_was_typed_for_a_nought_is_mended_by_one_tap(team: Browser) -> None:
    page = team.drop(
        [("stopwatch.csv", STOPWATCH), ("scanner.csv", SCANNER + b"A4O,PO002,07/12/2013\n")], htmx=True
    ).text
    assert page.count("Read it as A40,P0002,07/12/2013") == 1
    file = re.search(
        r'name="file" value="(\w+)"><input type="hidden" name="line" value="3">', page.replace("\n    ", "")
    )
    assert file is not None
    mended = team.change("edit-line", htmx=True, file=file[1], line="3", text="A40,P0002,07/12/2013").text
    assert "A40" in mended
    assert "nothing is wrong" in mended


def test_finishers_without_a_time_are_told_when_others_have_one(team: Browser) -> None:
    page = team.drop(
        [("t.csv", b"position,time,athlete\n1,18:00,A1\n2,,A2\n3,,A3\n4,19:00,A4\n5,,A5\n")], htmx=True
    ).text
    assert "There is no time for positions 2 to 3" in page
    assert "There is no time for position 5" in page
    assert "ready to submit, 2 things are worth a look" in page
    assert "nothing is wrong" not in page
    mended = team.change("edit-time", htmx=True, position="5", time="19:30").text
    assert "There is no time for position 5" not in mended


def test_it_is_told_once_when_no_finisher_has_a_time(team: Browser) -> None:
    page = team.drop([("scanner.csv", SCANNER)], htmx=True).text
    assert page.count("No finisher has a time.") == 1
    assert "nothing is wrong" not in page
    team.post(f"{PAGE}/restart", {}, PAGE)
    page = team.drop([("t.csv", b"position,athlete\n1,A1\n2,A2\n")], htmx=True).text
    assert "has no column of times" in page
    assert "No finisher has a time." not in page, "the table's own question says it"


def test_last_saturday_is_one_tap_away_when_no_day_is_chosen(site: Site) -> None:
    site.clock.advance(3 * 86_400)
    team = site.browser("bushy")
    page = team.get(PAGE).text
    assert "It was last Saturday, 7 December 2013" in page
    token = team.hidden(PAGE, f"{PAGE}/date")
    chosen = team.client.post(f"{PAGE}/date", data={**token, "date": DAY}, headers={"HX-Request": "true"}).text
    assert 'value="2013-12-07"' in chosen
    assert "last Saturday" not in chosen


def _field_after(page: str, label: str) -> str:
    found = re.search(rf'value="([^"]*)" required aria-label="{label}"', page)
    assert found is not None, page
    return found[1]


def test_the_day_of_the_files_is_chosen_by_one_tap(team: Browser) -> None:
    scans = b"".join(b"A%d,P%d,30/11/2013 09:20:00\n" % (at, at) for at in range(1, 4))
    page = team.drop([("t.csv", b"position,time\n1,18:00\n2,18:10\n3,18:20\n"), ("s.csv", scans)], htmx=True).text
    assert "is 30 November 2013, but you chose 7 December 2013" in page
    assert "The clock was wrong" in page

    page = team.change("choose-day", date="2013-11-30", htmx=True).text

    assert "but you chose" not in page
    assert 'value="2013-11-30"' in page


def test_a_day_of_years_ago_blocks_until_a_person_says_that_it_is_right(site: Site, team: Browser) -> None:
    team.drop(FILES)
    page = team.post(f"{PAGE}/date", {"date": "2012-11-30"}, PAGE, htmx=True).text
    problem = page[page.index("30 November 2012 is more than a year ago") :]
    problem = problem[: problem.index("The date is right")]
    assert "It was 7 December 2013" in problem, "the day of the files"
    assert "It was 30 November" not in problem, "a guess"
    assert 'id="send" disabled' in page

    page = team.change("as-given", code="day-long-ago", htmx=True).text
    assert "more than a year ago" not in page
    assert "The day is right, though it is long ago." in page
    assert "day-long-ago" not in page
    assert 'id="send" disabled' not in page
    page = team.post(f"{PAGE}/date", {"date": "2011-11-30"}, PAGE, htmx=True).text
    assert "30 November 2011 is more than a year ago" in page, "it was said of another day"

    page = team.change("choose-day", date="2013-11-30", htmx=True).text
    assert 'value="2013-11-30"' in page
    assert 'id="send" disabled' not in page


def test_a_correction_of_a_day_of_years_ago_is_not_asked_about_again(site: Site, team: Browser) -> None:
    team.drop(FILES)
    team.post(f"{PAGE}/date", {"date": "2012-11-30"}, PAGE)
    team.change("as-given", code="day-long-ago")
    submission = team.send().location.rpartition("/")[2]
    team.post(f"/submissions/{submission}/correct", {}, f"/submissions/{submission}")
    page = team.get(PAGE).text
    assert "30 November 2012" in page
    assert "more than a year ago" not in page


def test_a_scanners_clock_of_utc_is_judged_in_the_events_time_zone(site: Site, team: Browser) -> None:
    scans = b"".join(b"A%d,P%d,06/12/2013 20:20:00\n" % (at, at) for at in range(1, 4))
    page = team.drop([("t.csv", b"position,time\n1,18:00\n2,18:10\n3,18:20\n"), ("s.csv", scans)], htmx=True).text
    assert "is 6 December 2013, but you chose 7 December 2013" in page

    site.database.write(lambda conn: events.change(conn, "bushy", "Bushy", "Pacific/Auckland", ""))
    team.post(f"{PAGE}/date", {"date": DAY}, PAGE)

    assert "but you chose" not in team.get(PAGE).text


def test_times_that_a_spreadsheet_changed_are_mended_by_one_tap(site: Site, team: Browser) -> None:
    page = team.drop([("t.csv", b"position,time\n1,17:31:00\n2,25:02:00\n")], htmx=True).text
    assert "They are minutes and seconds" in page
    assert 'id="send" disabled' in page

    page = team.change("read-times", way="minutes", start="0", htmx=True).text

    assert "00:25:02" in page
    assert 'id="send" disabled' not in page


def test_last_weeks_files_block_until_a_person_says_that_they_are_right(site: Site, team: Browser) -> None:
    lines = "".join(f"{at},00:{18 + at}:00,A{at}\n" for at in range(1, 13))
    files = [("t.csv", f"position,time,athlete\n{lines}".encode())]
    team.submit(files)
    team.drop(files)
    team.post(f"{PAGE}/date", {"date": "2013-11-30"}, PAGE)
    page = team.get(PAGE).text
    assert "The very same finishers are here already, for 7 December 2013" in page
    assert 'id="send" disabled' in page

    page = team.change("as-given", code="already-here", htmx=True).text

    assert "The very same finishers" not in page
    assert 'id="send" disabled' not in page
    team.send()
    assert len(submissions(site)) == 2


def test_a_row_keeps_what_was_typed_when_its_change_is_refused(team: Browser) -> None:
    team.drop(FILES)
    for htmx in (True, False):
        page = team.change("edit-athlete", htmx=htmx, position="2", athlete="B1234567").text
        row = page[page.index('id="row-2"') : page.index('id="row-3"')]
        assert 'name="athlete" value="B1234567"' in row
        assert "B1234567" not in page[page.index('id="row-3"') :]


@pytest.mark.parametrize(
    "typed",
    ["a7654322", "A 7654322", " https://www.parkrun.org.uk/parkrunner/7654322/ ", "http://x.example/?id=A7654322"],
)
def test_an_athlete_is_understood_when_it_is_typed_loosely_or_read_from_a_qr_code(team: Browser, typed: str) -> None:
    team.drop(FILES)
    page = team.change("edit-athlete", htmx=True, position="2", athlete=typed).text
    row = page[page.index('id="row-2"') : page.index('id="row-3"')]
    assert "A7654322" in row


def test_missed_times_ask_for_their_place_when_scans_go_beyond_the_times(team: Browser) -> None:
    beyond = SCANNER + b"A1000088,P0005,07/12/2013 09:32:00\n"
    team.drop([("stopwatch.csv", STOPWATCH), ("scanner.csv", beyond)])
    page = team.get(PAGE).text
    form = page[: page.index("Insert 2 missed times</button>")].rpartition("<form")[2]
    assert 'placeholder="above position"' in form
    assert "required" in form
    assert 'type="hidden" name="position"' not in form


def test_a_correction_tells_what_it_changes_and_sends_nothing_when_it_changes_nothing(
    site: Site, team: Browser
) -> None:
    first = team.submit(FILES)
    path = f"/submissions/{first}"
    team.post(f"{path}/correct", {}, path)
    page = team.get(PAGE).text
    assert "Nothing is changed, so there is nothing to send." in page
    assert team.send().location.endswith(PAGE), "it stays on the page"
    with site.database.read() as conn:
        assert len(versions.of_event(conn, 1, 5)) == 1
    changed = team.change("edit-athlete", htmx=True, position="2", athlete="A42").text
    assert "Submit the correction: one row changed" in changed
    summary = changed[changed.index('id="changed"') :]
    assert "One row differs, 2 are the same." in summary
    assert summary.index("A42") < summary.index("Unknown")
    assert "/submissions/" in team.send().location


def test_what_needs_the_team_stands_first_when_results_were_refused(site: Site, team: Browser) -> None:
    team.submit(FILES)
    assert "This needs you" not in team.get(PAGE).text
    site.database.write(lambda conn: conn.execute(update(Submission).values(state=State.REJECTED)))
    page = team.get(PAGE).text
    assert page.index("The master refused 7 December 2013.") < page.index("1. The day")
    operator = site.browser("operator")
    operator.drop(FILES, "richmond")
    choice = operator.get("/submit").text
    assert (
        choice.index("Bushy parkrun") < choice.index("Richmond parkrun, 7 December 2013") < choice.index("which event?")
    )


def test_the_work_is_kept_when_the_event_has_handed_in_all_that_it_may_today(site: Site, team: Browser) -> None:
    def hand_in_a_gigabyte(conn: Connection) -> None:
        event = events.find(conn, "bushy")
        assert event is not None
        quotas.use(conn, NOW, event.id, 2**30)

    site.database.write(hand_in_a_gigabyte)
    team.drop(FILES)
    assert team.send().location.partition("#")[0].endswith("/submit/bushy")
    page = team.get("/submit/bushy").text
    assert "MB a day, so this was not stored" in page
    assert "stopwatch.csv" in page
    site.clock.advance(14 * 3600)
    assert "/submissions/" in team.send().location


def test_a_notice_stands_on_top_of_the_form_of_its_event_until_its_time(
    site: Site, team: Browser, stranger: Browser
) -> None:
    now = site.clock.now()

    def add(conn: Connection) -> None:
        bushy = events.find(conn, "bushy")
        assert bushy is not None
        until = now + timedelta(hours=1)
        notices.add(conn, now, "joe", bushy.id, "Ice <b>on</b> the course", "No run.\nTell your volunteers.", until)

    site.database.write(add)
    page = team.get("/submit/bushy").text
    assert "Ice &lt;b&gt;on&lt;/b&gt; the course" in page
    assert page.index("Tell your volunteers.") < page.index("1. The day")
    assert "operators, 7 December 2013 at 10:42." in page
    assert "Ice" in team.drop(FILES, htmx=True).text, "with each tap"
    assert "Ice" not in stranger.get("/submit/richmond").text
    site.clock.advance(3600)
    assert "Ice" not in team.get("/submit/bushy").text
