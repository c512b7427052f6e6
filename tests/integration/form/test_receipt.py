"""The receipt and what a team decides: live states, conflicts, rejections, withdrawals, history and downloads."""

import re
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from resultsq.delivery import sender
from resultsq.domain import sheet
from resultsq.domain.outcome import Cause, Conflict, Exchange, Outcome, Reason, Rejected
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.sheet import Finisher, Sheet, Volunteer
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import holding
from resultsq.store.outbox import cycle, handovers, links
from resultsq.store.views import queries
from resultsq.wakeup import Bell
from resultsq.web.csv_cells import safe_cell
from tests.integration.form.conftest import DAY, FILES, NOW, Browser, Site
from tests.support import speech
from tests.support.nodes import StoreNode, accepted, entry

BrowserOf = Callable[[str], Browser]
PAGE = "/submit/bushy"


def state(site: Site, submission: str) -> State:
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
    assert found is not None
    return found.state


def probed(site: Site, cause: Cause | None = None) -> None:
    """A probe came back: up, or with a cause why not."""
    site.clock.advance(1)
    now = site.clock.now()
    number = site.database.write(lambda conn: links.start_probe(conn, now, 0.5))
    answer = ProbeAnswer(cause, "", 0.01)
    site.database.write(lambda conn: links.probe_answered(conn, now, number, answer, 8, 0.5))


def worked(site: Site, outcome: Callable[[Any], Outcome]) -> None:
    """A worker takes what is next, and it ends so."""
    probed(site)
    now = site.clock.now() + timedelta(seconds=5)
    (lease,) = site.database.write(lambda conn: cycle.run_cycle(conn, now, "w1", (), 1, 8)).leases
    end = sender.settlement(lease, outcome(lease), 0.1, 0.5)
    site.database.write(lambda conn: cycle.run_cycle(conn, now, "w1", (end,), 0, 8))


def test_the_receipt_says_that_a_relay_has_it_too_and_that_this_node_may_be_switched_off(
    site: Site, team: Browser
) -> None:
    submission = team.submit(FILES)
    before = team.get(f"/submissions/{submission}").text
    assert "Take these results back" in before
    now = site.clock.now()
    site.database.write(lambda conn: handovers.begin(conn, now, "relay.example.org:443", 0, 10))
    assert team.get(f"/submissions/{submission}").text.count("A copy is safe") == 0, "it is being handed over"
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
    assert found is not None
    site.database.write(lambda conn: handovers.kept(conn, now, found.seq, 30))
    page = team.get(f"/submissions/{submission}").text
    assert "A copy is safe at relay.example.org:443" in page
    assert "This node may be switched off." in page
    assert "Take these results back" not in page
    assert "cannot be taken back. You can correct them." in page
    seen = re.compile(r"seen=(\w+)")
    first, later = seen.search(before), seen.search(page)
    assert first is not None
    assert later is not None
    assert first[1] != later[1], "an open page shows it, too"


def test_the_receipt_says_what_waits_before_it_and_why_while_the_master_is_away(
    site: Site, team: Browser, stranger: Browser
) -> None:
    stranger.submit([("t.csv", b"position,time\n1,18:00\n")], "richmond")
    submission = team.submit(FILES)
    probed(site, Cause.REFUSED)
    page = team.get(f"/submissions/{submission}").text
    assert "One submission is ahead of you." in page
    assert "They will be published automatically when the connection is back." in page
    assert "You do not need to do anything." in page


def test_the_receipt_says_that_a_master_answers_and_takes_nothing_until_it_takes_something(
    site: Site, team: Browser
) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    away = "The master cannot be reached now."
    stalled = "The master answers, but takes no results now. They will be published automatically when it does."
    node = StoreNode(site.database, events=("elsewhere",))
    node.accept_many(5, "elsewhere")
    node.now = site.clock.now()
    node.probe(Cause.REFUSED)
    page = team.get(path).text
    assert away in page
    assert stalled not in page
    seen = page.partition("live?seen=")[2].partition('"')[0]
    node.probe()
    node.stall()
    changed = team.get(f"{path}/live?seen={seen}").text
    assert stalled in changed
    assert away not in changed
    assert stalled in team.get(path).text
    node.pass_time(60)
    node.probe()
    node.publish_one()
    assert stalled not in team.get(path).text


def _padded(sentence: str) -> str:
    return sentence if "%" in sentence else f"{sentence:120}"


def test_the_live_part_changes_with_the_reason_even_where_both_are_as_long(
    site: Site, team: Browser, tmp_path: Path
) -> None:
    speech.mark_everything(site.app, tmp_path / "translations", _padded)
    path = f"/submissions/{team.submit(FILES)}"
    node = StoreNode(site.database, events=("elsewhere",))
    node.now = site.clock.now()
    node.probe(Cause.REFUSED)
    seen = team.get(path).text.partition("live?seen=")[2].partition('"')[0]
    assert team.get(f"{path}/live?seen={seen}").status_code == 204
    node.probe()
    changed = team.get(f"{path}/live?seen={seen}")
    assert changed.status_code == 200
    assert "as soon as the connection to the master allows it" in changed.text


def test_the_live_part_answers_only_when_something_changed(site: Site, team: Browser) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    seen = team.get(path).text.partition("live?seen=")[2].partition('"')[0]
    assert team.get(f"{path}/live?seen={seen}").status_code == 204
    assert "Saved here at 10:42" in team.get(f"{path}/live?seen=something-else").text
    worked(site, accepted)
    assert team.get(f"{path}/live?seen={seen}").headers["HX-Refresh"] == "true"
    changed = team.get(path).text
    assert "The master has had them since 7 December 2013 at" in changed
    assert "as revision 1" in changed
    assert "revision 1, 7 December 2013" in changed
    assert "hx-trigger" not in changed, "what is published is not asked for any more"


def rejected(_lease: Any) -> Outcome:
    reasons = (
        Reason("is faster than the world record", "/finishers/1/time"),
        Reason("is not known", "/event"),
    )
    return Rejected("invalid-sheet", "The sheet cannot be taken.", reasons, Exchange(status=422))


def test_a_rejection_shows_its_reasons_beside_the_rows_they_point_to(site: Site, team: Browser) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    worked(site, rejected)
    assert team.get(f"{path}/live?seen=x").headers["HX-Refresh"] == "true"
    page = team.get(path).text
    assert "The master refused these results" in page
    row = page[page.index("00:18:02") : page.index("00:19:40")]
    assert "is faster than the world record" in row
    assert page.index("is not known (event)") < page.index("00:17:31")
    assert team.post(f"{path}/correct", {}, path).location.endswith(PAGE)


def in_the_way(_lease: Any) -> Outcome:
    rows = (Finisher(position=1, athlete="A1234567", time="00:17:31"), Finisher(position=2, athlete="A99", time=None))
    other = Sheet(event="bushy", date=NOW.date(), submitted_by="laptop two", submitted_at=NOW, finishers=rows)
    return Conflict(
        "11111111-1111-4111-8111-111111111111", 4, sheet.canonical_bytes(other), exchange=Exchange(status=412)
    )


def test_a_conflict_shows_both_sheets_row_by_row_and_is_decided_by_the_team(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    path = f"/submissions/{submission}"
    worked(site, in_the_way)
    page = team.get(path).text
    assert "2 rows differ, one is the same." in page
    assert "laptop two" in page
    both = page[page.index('id="both"') :]
    assert both.index("A99") < both.index("no row")
    assert team.post(f"{path}/publish-over", {}, path).location.endswith(path)
    assert state(site, submission) is State.QUEUED
    assert "published over the other sheet" in team.get(path).text
    team.client.post(f"{path}/publish-over", data={"csrf_token": team.hidden(path, "/logout")["csrf_token"]})
    assert "nothing to decide" in team.get(path).text


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Conflict("11111111-1111-4111-8111-111111111111", 4, b"{}"), "publish-over"),
        (Rejected("invalid-sheet", "No.", (Reason("is odd", "/finishers/" + "9" * 5000 + "/time"),)), "is odd"),
        (Rejected("invalid-sheet", "No.", (Reason("is odd", "/finishers/٣/time"),)), "is odd"),
    ],
)
def test_the_receipt_is_shown_when_the_master_answered_oddly(
    outcome: Outcome, said: str, site: Site, team: Browser
) -> None:
    submission = team.submit(FILES)
    worked(site, lambda _lease: outcome)
    shown = team.get(f"/submissions/{submission}")
    assert shown.status_code == 200
    assert said in shown.text


def test_the_other_sheet_stays_when_the_team_withdraws_its_own(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    path = f"/submissions/{submission}"
    worked(site, in_the_way)
    team.post(f"{path}/withdraw", {}, path)
    assert state(site, submission) is State.WITHDRAWN
    assert "Undo the withdrawal" in team.get(path).text
    team.post(f"{path}/restore", {}, path)
    assert state(site, submission) is State.CONFLICT, "the team decides again"


def test_a_published_version_offers_a_correction_and_no_withdrawal(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    path = f"/submissions/{submission}"
    token = team.hidden(path, f"{path}/withdraw")
    worked(site, accepted)
    page = team.get(path).text
    assert "Correct these results" in page
    assert f"{path}/withdraw" not in page
    team.client.post(f"{path}/withdraw", data=token)
    assert "cannot be taken back" in team.get(path).text
    assert state(site, submission) is State.PUBLISHED


def test_the_history_lists_versions_and_states_newest_first(site: Site, team: Browser) -> None:
    first = team.submit(FILES)
    worked(site, accepted)
    path = f"/submissions/{first}"
    team.post(f"{path}/correct", {}, path)
    team.change("edit-athlete", htmx=True, position="2", athlete="A42")
    team.send()
    page = team.get("/events/bushy").text
    assert page.index("Version 2") < page.index("Version 1")
    assert "safe here, will be published automatically" in page
    assert "published" in page
    assert "stopwatch.csv" in page


# tables


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_is_no_formula_when_it_looks_like_one(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell("A1234567") == "A1234567"


def test_the_teams_table_carries_the_ids_and_a_role_is_no_formula(team: Browser) -> None:
    team.drop(FILES)
    team.post(f"{PAGE}/volunteers", {"athlete": "A7", "role": '=HYPERLINK("http://evil")'}, PAGE)
    path = f"/submissions/{team.send().location.rpartition('/')[2]}"
    table = team.get(f"{path}/results.csv")
    assert table.text == (
        '"position","time","athlete"\r\n"1","00:17:31","A1234567"\r\n"2","00:18:02",""\r\n"3","00:19:40","A7654321"\r\n'
    )
    assert table.headers["Content-Disposition"] == "attachment; filename=bushy-2013-12-07-v1-results.csv"
    assert table.headers["Cache-Control"] == "no-store"
    assert '"\'=HYPERLINK(""http://evil"")"' in team.get(f"{path}/volunteers.csv").text


# the public page


def test_the_public_page_has_positions_and_times_and_nothing_else(site: Site, team: Browser) -> None:
    team.drop(FILES)
    team.post(f"{PAGE}/volunteers", {"athlete": "A7", "role": "Timekeeper"}, PAGE)
    team.send()
    answer = site.browser().get(f"/results/bushy/{DAY}")
    assert "Provisional" in answer.text
    assert "00:18:02" in answer.text
    assert not [one for one in ("A1234567", "A7654321", "A7", "Timekeeper", "scanner.csv") if one in answer.text]
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "noindex" in answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=15"
    assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie" not in team.get(f"/results/bushy/{DAY}").headers
    assert "bushy\n" not in team.get(f"/results/bushy/{DAY}").text, "nobody's name is on a page that may be shared"
    worked(site, accepted)
    assert "Provisional" not in site.browser().get(f"/results/bushy/{DAY}").text


def test_the_public_page_shows_the_latest_that_is_neither_rejected_nor_withdrawn(site: Site, team: Browser) -> None:
    team.submit(FILES)
    worked(site, accepted)
    team.drop([("t.csv", b"position,time\n1,20:00\n")])
    team.post(f"{PAGE}/on-top", {}, PAGE)
    second = team.send().location.rpartition("/")[2]
    anybody = site.browser()
    assert "00:20:00" in anybody.get(f"/results/bushy/{DAY}").text
    worked(site, rejected)
    assert "00:17:31" in anybody.get(f"/results/bushy/{DAY}").text
    path = f"/submissions/{second}"
    team.post(f"{path}/withdraw", {}, path)
    assert "00:17:31" in anybody.get(f"/results/bushy/{DAY}").text


def test_the_public_page_is_gone_when_the_event_switches_it_off(site: Site, team: Browser) -> None:
    team.submit(FILES)
    anybody = site.browser()
    team.post("/events/bushy/public", {}, "/events/bushy")
    assert anybody.get(f"/results/bushy/{DAY}").status_code == 404
    team.post("/events/bushy/public", {}, "/events/bushy")
    assert anybody.get(f"/results/bushy/{DAY}").status_code == 200
    for nothing in ("/results/bushy/2013-12-06", "/results/nowhere/2013-12-07", "/results/bushy/soon"):
        assert anybody.get(nothing).status_code == 404


def test_a_sheet_of_volunteers_is_the_value_that_the_master_gets(site: Site, team: Browser) -> None:
    team.drop(FILES)
    team.post(f"{PAGE}/volunteers", {"athlete": "A7", "role": "Timekeeper"}, PAGE)
    submission = team.send().location.rpartition("/")[2]
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
        assert found is not None
        body = queries.body(conn, found.seq)
    assert body is not None
    assert sheet.parse(body).volunteers == (Volunteer(athlete="A7", role="Timekeeper"),)


def lost_below(site: Site, team: Browser) -> tuple[str, str]:
    """Version 1 was published, the master lost it, and version 2 met nothing there."""
    first = team.submit(FILES)
    worked(site, accepted)
    with site.database.read() as conn:
        found = queries.submission(conn, first)
    assert found is not None
    better = entry(found.event_id, "bushy", 9, date=found.date, if_match=first)
    second = site.database.write(lambda conn: outbox.accept(conn, site.clock.now(), better)).id
    worked(site, lambda _lease: Conflict(None, None, exchange=Exchange(status=412)))
    return first, second


def test_a_conflict_with_nothing_is_told_as_it_is_and_both_are_sent_again(site: Site, team: Browser) -> None:
    first, second = lost_below(site, team)
    path = f"/submissions/{second}"
    page = team.get(path).text
    assert "The master no longer has version 1" in page
    assert "Send version 1 again, then this one" in page
    assert "Theirs are right" not in page
    assert "Other results are published" not in page
    assert team.post(f"{path}/resend", {}, path).location.endswith(path)
    assert (state(site, first), state(site, second)) == (State.QUEUED, State.QUEUED)
    worked(site, accepted)
    worked(site, lambda lease: accepted(lease, 2))
    assert (state(site, first), state(site, second)) == (State.CORRECTED, State.PUBLISHED)
    team.client.post(f"{path}/resend", data={"csrf_token": team.hidden(path, "/logout")["csrf_token"]})
    assert "has not lost what this version corrects" in team.get(path).text


def test_a_printed_receipt_has_its_rows_and_its_address(site: Site, team: Browser) -> None:
    path = f"/submissions/{team.submit(FILES)}"
    page = team.get(path).text
    paper = page[page.index('class="paper"') :]
    assert f"http://localhost{path}" in paper
    assert "<svg" in paper
    assert "style=" not in paper, "the policy refuses it"
    assert paper.index("00:17:31") < paper.index("A7654321")


def test_a_held_receipt_names_the_hold_and_no_place(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    probed(site)
    assert "You are next." in team.get(f"/submissions/{submission}").text
    now = site.clock.now()
    site.database.write(lambda conn: holding.place_hold(conn, now, "op", None, "checking the course"))
    page = team.get(f"/submissions/{submission}").text
    assert "An operator has put these results on hold." in page
    assert "You are next." not in page
    assert "ahead of you" not in page


def test_a_refusal_points_below_only_when_rows_are_named_there(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    worked(site, lambda _lease: Rejected("not-found", "There is no such event."))
    page = team.get(f"/submissions/{submission}").text
    assert "There is no such event." in page
    assert "named below" not in page
    assert "ask an operator of this node" in page


def test_what_is_on_its_way_has_no_place_in_the_queue(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    probed(site)
    now = site.clock.now() + timedelta(seconds=5)
    site.database.write(lambda conn: cycle.run_cycle(conn, now, "w1", (), 1, 8))
    page = team.get(f"/submissions/{submission}").text
    assert "They are on their way to the master now." in page
    assert "You are next." not in page


def test_the_history_names_the_other_nodes(site: Site, populated: Path, tmp_path: Path, bell: Bell) -> None:
    assert "When this node is away" not in site.browser("bushy").get("/events/bushy").text
    folder = tmp_path / "another"
    folder.mkdir()
    shutil.copy(populated, folder / "resultsq.db")
    another = Site(folder, bell, other_nodes="https://second.example.org")
    with closing(another.database):
        page = another.browser("bushy").get("/events/bushy").text
    assert 'href="https://second.example.org/events/bushy"' in page
    assert "Results that reach two nodes are published once." in page
