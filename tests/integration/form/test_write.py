"""A team writes to the office: kept at once, once, shown with its state, and told what is wrong beside each field."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from resultsq.domain.destinations import MAIL
from resultsq.domain.outcome import Accepted, Exchange, Receipt, Redirected
from resultsq.domain.ports import Parcel
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store.engine.tables import Payload, Submission
from tests.integration.form.conftest import FILES, NOW, Browser, Site
from tests.integration.form.test_receipt import state, worked

PAGE = "/write/bushy/messages"
WORDS = {"subject": "A late barcode", "text": "Position 7\r\nis <b>A123</b>."}


def sent(team: Browser, page: str = PAGE, **changes: str) -> Any:
    return team.post(PAGE, {**team.hidden(page, PAGE), **WORDS, **changes}, page=page)


def received(lease: Any) -> Accepted:
    receipt = Receipt(submission=lease.submission, digest=lease.digest, received_at=NOW)
    parcel = Parcel(lease.kind, lease.submission, lease.event, lease.date, lease.body, lease.digest, None)
    assert KINDS[lease.kind].accepts(parcel, receipt)
    return Accepted(receipt, Exchange(status=201))


def test_a_message_is_kept_at_once_and_shown_with_its_state(site: Site, team: Browser) -> None:
    about = team.submit(FILES)
    assert f"{PAGE}?about={about}" in team.get(f"/submissions/{about}").text
    answer = sent(team, f"{PAGE}?about={about}")
    assert answer.status_code == 303
    id_ = answer.headers["Location"].rpartition("/")[2]
    page = team.get(f"/submissions/{id_}").text
    assert "You do not need to do anything." in page
    assert "It will be sent automatically" in page
    assert "They " not in page, "one message, and not the rows of a sheet"
    assert "A late barcode" in page
    assert "is &lt;b&gt;A123&lt;/b&gt;." in page
    assert f'href="/submissions/{about}"' in page
    with site.database.read() as conn:
        body = conn.execute(
            select(Payload.body).join(Submission, Submission.seq == Payload.seq).where(Submission.id == id_)
        ).scalar_one()
    assert b'"text":"Position 7\\nis <b>A123</b>."' in body
    assert f"/submissions/{id_}" in team.get("/events/bushy").text


def test_it_is_delivered_when_the_master_has_given_its_receipt(site: Site, team: Browser) -> None:
    id_ = sent(team).headers["Location"].rpartition("/")[2]
    worked(site, received)
    assert state(site, id_) is State.PUBLISHED
    page = team.get(f"/submissions/{id_}").text
    assert "Delivered" in page
    assert "The master has had it since" in page


def test_its_page_says_so_when_it_goes_by_mail(site: Site, team: Browser) -> None:
    id_ = sent(team).headers["Location"].rpartition("/")[2]
    worked(site, lambda lease: Redirected(MAIL, "The master has no call for this."))
    page = team.get(f"/submissions/{id_}").text
    assert "It goes to the office by mail as soon as the mail server takes it." in page
    assert "aster" not in page.partition('id="live"')[2].partition("</div>")[0]


def test_a_double_click_sends_one_message(site: Site, team: Browser) -> None:
    fields = {**team.hidden(PAGE, PAGE), **WORDS}
    both = [team.post(PAGE, fields, page=PAGE).headers["Location"] for _ in range(2)]
    assert both[0] == both[1]
    with site.database.read() as conn:
        assert len(conn.execute(select(Submission.id)).all()) == 1


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"subject": ""}, "subject", "A subject is one line of 1 to 200 characters."),
        ({"text": "x" * 10_001}, "text", "A text has 1 to 10,000 characters"),
        ({"about": "the last one"}, "about", "The field about is the id of a submission"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_that_was_written_is_lost(
    site: Site, team: Browser, changes: dict[str, str], field: str, said: str
) -> None:
    answer = sent(team, **changes)
    assert answer.status_code == 422
    assert f'id="wrong-{field}"' in answer.text
    assert said in answer.text
    assert {**WORDS, **changes}["subject"] in answer.text
    with site.database.read() as conn:
        assert conn.execute(select(Submission.id)).first() is None


def test_another_team_can_neither_write_here_nor_read(site: Site, team: Browser, stranger: Browser) -> None:
    id_ = sent(team).headers["Location"].rpartition("/")[2]
    assert stranger.get(PAGE).status_code == 404
    assert stranger.get(f"/submissions/{id_}").status_code == 404
    assert team.get("/write/bushy/results").status_code == 404, "results have pages of their own"
    assert team.get("/write/bushy/kayaks").status_code == 404


def test_an_id_that_stands_for_another_message_is_refused_and_the_text_stays(site: Site, team: Browser) -> None:
    fields = {**team.hidden(PAGE, PAGE), **WORDS, "id": str(uuid.uuid4())}
    assert team.post(PAGE, fields, page=PAGE).status_code == 303
    again = team.post(PAGE, {**fields, "text": "Something else."}, page=PAGE)
    assert again.status_code == 409
    assert "Something else." in again.text
    assert f'value="{fields["id"]}"' not in again.text, "sent once more it is another message"


def test_a_withdrawn_message_can_be_put_back_and_a_message_is_no_sheet(site: Site, team: Browser) -> None:
    id_ = sent(team).headers["Location"].rpartition("/")[2]
    where = f"/submissions/{id_}"
    assert team.post(f"{where}/withdraw", team.hidden(where, f"{where}/withdraw"), page=where).status_code == 303
    assert state(site, id_) is State.WITHDRAWN
    token = team.hidden(where, f"{where}/restore")
    assert team.client.post(f"{where}/correct", data=token).status_code == 404
    assert team.post(f"{where}/restore", token, page=where).status_code == 303
    assert state(site, id_) is State.QUEUED
