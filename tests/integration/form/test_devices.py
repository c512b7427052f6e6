"""Entries that a team's device kept: each is received once, whole or not at all, and nothing is lost on its way."""

import json
import shutil
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from werkzeug.test import TestResponse

from resultsq.app import carried, from_devices
from resultsq.store.admin import addresses, devices, retention
from resultsq.store.engine.tables import DeviceEntryFile, DeviceEntryRow, Payload, Submission
from resultsq.wakeup import Bell
from tests.integration.form.conftest import DAY, FILES, NOW, SCANNER, Browser, Site

WRONG = [("stopwatch.csv", FILES[0][1]), ("scanner.csv", SCANNER.replace(b"P0003", b"P0009"))]
"""A token above the last position blocks publication."""


def entry(
    files: list[tuple[str, bytes]] = FILES,
    *,
    id_: str | None = None,
    publish: bool = True,
    version: int = carried.FORMAT,
    date: str = DAY,
) -> dict[str, Any]:
    listed = [
        {
            "name": name,
            "length": len(content),
            "sha256": sha256(content).hexdigest(),
            "content": b64encode(content).decode(),
        }
        for name, content in files
    ]
    given = {"resultsq-entry": version, "id": id_ or str(uuid.uuid4()), "event": "bushy", "date": date}
    return {**given, "publish": publish, "files": listed}


def send(who: Browser, given: dict[str, Any] | bytes, token: str | None = None) -> TestResponse:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    token = token or who.get("/device/contact").get_json()["csrf"]
    headers = {"X-CSRFToken": token, "Accept": "application/json", "Content-Type": "application/json"}
    return who.client.post("/device/entries", data=body, headers=headers)


@pytest.fixture
def small_site(tmp_path: Path, populated: Path, bell: Bell) -> Iterator[Site]:
    """One that takes small bodies only."""
    shutil.copy(populated, tmp_path / "resultsq.db")
    made = Site(tmp_path, bell, max_body_bytes=100_000)
    yield made
    made.database.close()


@pytest.fixture
def mailing_site(tmp_path: Path, populated: Path, bell: Bell) -> Iterator[Site]:
    """One with a mail server, and a team with an address."""
    shutil.copy(populated, tmp_path / "resultsq.db")
    made = Site(tmp_path, bell, smtp_url="smtp://127.0.0.1:1025", alert_mail_from="node@results.example")
    made.database.write(lambda conn: addresses.set_mail(conn, "bushy", "team@bushy.example"))
    yield made
    made.database.close()


def submissions(site: Site) -> int:
    with site.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(Submission)).scalar_one())


def where(who: Browser, id_: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = who.get(f"/device/entries?id={id_}").get_json()["entries"]
    return found[0] if found else {}


def test_an_entry_is_submitted_once_however_often_it_is_sent(site: Site, team: Browser) -> None:
    given = entry()
    answers = [send(team, given) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert {answer.get_json()["url"] for answer in answers} == {answers[0].get_json()["url"]}
    told = answers[0].get_json()
    assert (told["place"], told["done"], told["reasons"]) == ("saved", False, [])
    assert "Results of Bushy parkrun" in team.get(told["url"]).text
    assert submissions(site) == 1


def test_an_entry_that_was_submitted_before_its_row_was_written_is_the_same_submission(
    site: Site, team: Browser
) -> None:
    given = entry()
    send(team, given)
    # as a kill between the commits of the two leaves it
    site.database.write(lambda conn: conn.execute(delete(DeviceEntryRow)))
    answer = send(team, given)
    assert answer.status_code == 201
    assert "/submissions/" in answer.get_json()["url"]
    assert submissions(site) == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda body: b"", "nothing of it arrived"),
        (lambda body: body[: len(body) // 2], "its end is missing"),
        (lambda body: body.replace(b"U1RBUlRPRkVWRU5U", b"U1RBUlRPRkVWRU5V"), "not what the device had"),
        (lambda body: body.replace(b'"length": ', b'"length": 1'), "not what the device had"),
    ],
    ids=["emptied", "cut", "changed", "length"],
)
def test_a_body_that_is_not_what_the_device_sent_is_refused_and_the_whole_one_taken_then(
    site: Site, team: Browser, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    body = json.dumps(entry()).encode()
    assert spoil(body) != body
    answer = send(team, spoil(body))
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert reason in answer.get_json()["detail"]
    assert "Nothing was stored" in answer.get_json()["detail"]
    assert submissions(site) == 0
    assert send(team, body).status_code == 201


def test_an_entry_with_problems_is_kept_and_opened_by_its_team_on_the_next_visit(site: Site, team: Browser) -> None:
    given = entry(WRONG)
    told = send(team, given).get_json()
    assert told["place"] == "saved"
    assert "blocks publication" in " ".join(told["reasons"])
    page = team.get("/submit/bushy").text
    assert "Results came from a device" in page
    assert "7 December 2013" in page
    assert "blocks publication" in page
    action = f"/submit/bushy/entries/{given['id']}/open"
    assert team.post(action, {}, "/submit/bushy").status_code == 303
    page = team.get("/submit/bushy").text
    assert "Results came from a device" not in page
    assert "scanner.csv" in page
    assert "one thing to mend" in page
    assert where(team, given["id"])["done"] is True
    with site.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(DeviceEntryFile)).scalar_one() == 0


def test_an_entry_is_not_opened_over_other_work(team: Browser) -> None:
    given = entry(WRONG)
    send(team, given)
    token = team.hidden("/submit/bushy", "/logout")["csrf_token"]
    team.drop(FILES)
    answer = team.client.post(f"/submit/bushy/entries/{given['id']}/open", data={"csrf_token": token})
    assert answer.status_code == 409
    assert "There is other work on this page" in answer.text
    assert "Submit what is on this page or throw it away" in team.get("/submit/bushy").text


def test_an_entry_without_problems_waits_for_a_look_where_the_team_wanted_one(site: Site, team: Browser) -> None:
    told = send(team, entry(publish=False)).get_json()
    assert told["reasons"] == ["Nobody has looked at it yet: look, and submit it."]
    assert submissions(site) == 0


def test_an_entry_of_a_day_that_has_results_or_is_to_come_is_kept(site: Site, team: Browser) -> None:
    team.submit(FILES)
    other = [("stopwatch.csv", FILES[0][1].replace(b"00:17:31", b"00:17:32"))]
    assert "results for this date already" in send(team, entry(other)).get_json()["reasons"][0]
    ahead = send(team, entry(other, date="2013-12-14"))  # the device's clock is a week ahead
    assert ahead.status_code == 201
    assert "still to come" in ahead.get_json()["reasons"][0]
    assert submissions(site) == 1


def test_the_format_before_is_taken_and_another_is_refused_with_a_reason(site: Site, team: Browser) -> None:
    old = entry(version=carried.FORMAT - 1)
    del old["publish"]
    assert send(team, old).get_json()["reasons"] == ["Nobody has looked at it yet: look, and submit it."]
    newer = send(team, entry(version=carried.FORMAT + 1))
    assert newer.status_code == 422
    assert "has the format 3, and this node takes 1 and 2" in newer.get_json()["detail"]


def test_the_id_of_an_entry_stands_for_nothing_else(team: Browser) -> None:
    given = entry()
    send(team, given)
    answer = send(team, entry(WRONG, id_=given["id"]))
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


def test_a_device_learns_who_is_logged_in_and_is_asked_to_log_in_again(site: Site, team: Browser) -> None:
    told = team.get("/device/contact").get_json()
    assert (told["account"], told["events"]) == ("bushy", [{"slug": "bushy", "name": "Bushy parkrun"}])
    nobody = site.browser()
    assert nobody.get("/device/contact").get_json()["account"] is None
    answer = send(nobody, entry())
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert submissions(site) == 0


def test_another_team_can_neither_send_for_an_event_nor_see_its_entries(team: Browser, stranger: Browser) -> None:
    given = entry(WRONG)
    assert send(stranger, given).status_code == 404
    send(team, given)
    assert where(stranger, given["id"]) == {}
    token = stranger.hidden("/submit/richmond", "/logout")["csrf_token"]
    for event in ("bushy", "richmond"):
        action = f"/submit/{event}/entries/{given['id']}/open"
        assert stranger.client.post(action, data={"csrf_token": token}).status_code == 404


def test_no_more_entries_are_kept_than_a_team_can_open(
    site: Site, team: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_devices, "MOST_OPEN", 2)
    sent = [send(team, entry([("a.csv", b"%d" % at)])) for at in range(3)]
    assert [answer.status_code for answer in sent] == [201, 201, 429]
    assert int(sent[2].headers["Retry-After"]) > 60


def test_no_more_bytes_are_kept_than_there_is_room_for(small_site: Site) -> None:
    team, most = small_site.browser("bushy"), 300 * small_site.settings.max_body_bytes // 10
    size = small_site.settings.max_body_bytes // 2
    statuses = [
        send(team, entry([("a.csv", (b"%06d" % at).ljust(size))])).status_code for at in range(most // size + 1)
    ]
    assert statuses == [201] * (most // size) + [429]


def test_an_account_is_mailed_that_results_of_its_device_cannot_be_published(mailing_site: Site) -> None:
    team = mailing_site.browser("bushy")
    for given in (entry(WRONG), entry(publish=False), entry(id_=str(uuid.uuid4()))):
        send(team, given)
    with mailing_site.database.read() as conn:
        bodies = conn.execute(select(Payload.body).join(Submission).where(Submission.kind == "mails")).scalars().all()
    (mail,) = (json.loads(body) for body in bodies)
    assert (mail["account"], mail["subject"]) == (
        "bushy",
        "Bushy parkrun, 7 December 2013: results from a device need a look",
    )
    assert "problem blocks publication" in mail["text"]
    assert "stopwatch.csv" not in mail["text"]


def test_what_devices_hold_is_known_until_they_hold_nothing(site: Site, team: Browser) -> None:
    device = str(uuid.uuid4())

    def report(who: Browser, holds: object, day: str = DAY) -> int:
        token = who.get("/device/contact").get_json()["csrf"]
        data = {"device": device, "holds": holds, "day": day}
        return who.client.post("/device/holds", data=data, headers={"X-CSRFToken": token}).status_code

    def held() -> devices.HeldByDevices:
        with site.database.read() as conn:
            return devices.held(conn, site.clock.now())

    assert report(site.browser(), 2) == 204
    assert held().devices == 0, "a stranger's word counts for nothing"
    assert report(team, 2) == 204
    assert held() == devices.HeldByDevices(1, 2, NOW, 0)
    site.clock.advance(3601)
    assert held().silent == 1
    assert report(site.browser(), 1) == 204, "its login has ended, and it is known"
    assert (held().results, held().silent) == (1, 0)
    assert report(team, 0, "") == 204
    assert held() == devices.HeldByDevices()
    assert [report(team, holds) for holds in (-1, "x", 10_001)] == [422, 422, 422]


def test_an_entry_as_a_file_is_taken_by_the_form(team: Browser) -> None:
    file = json.dumps(entry(), separators=(",", ":")).encode()
    team.drop([("results-bushy.json", file)])
    page = team.get("/submit/bushy").text
    assert "stopwatch.csv" in page
    assert "scanner.csv" in page
    assert "results-bushy.json" not in page
    data = {"files": [(BytesIO(file[:-200]), "cut.json")], **team.hidden("/submit/bushy", "/submit/bushy/files")}
    assert "did not arrive whole" in team.client.post("/submit/bushy/files", data=data, follow_redirects=True).text


def test_entries_are_forgotten_with_the_drafts(site: Site, team: Browser) -> None:
    given = entry(WRONG)
    send(team, given)
    site.database.write(lambda conn: retention.prune_some(conn, NOW))
    assert where(team, given["id"])
    site.database.write(lambda conn: retention.prune_some(conn, NOW + timedelta(seconds=1)))
    assert not where(team, given["id"])


def test_the_shell_says_nothing_of_anybody_and_is_whole(team: Browser) -> None:
    page = team.get("/offline").text
    assert "bushy" not in page
    assert 'csrf_token" value' not in page
    worker = team.get("/sw.js")
    assert worker.mimetype == "text/javascript"
    assert worker.headers["Cache-Control"] == "no-cache"
    kept = json.loads(worker.text.partition("const KEPT = ")[2].partition(";\n")[0])
    assert len(kept) > 12
    for path in kept:
        with team.get(path) as answer:
            assert answer.status_code == 200, path
    module = next(path for path in kept if path.endswith("/page.js"))
    with team.get(module) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    assert team.get("/offline/000000000000/page.js").status_code == 404
