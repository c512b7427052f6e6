"""Every page of the event team's form: axe, light and dark, on a desk and on a phone; pictures to look at."""

import os
import re
import uuid
from collections.abc import Callable
from datetime import date
from itertools import product
from typing import Literal

import pytest
import requests
from playwright.sync_api import FilePayload, Page, expect

from resultsq.clock import SystemClock
from resultsq.domain import sheet
from resultsq.domain.sheet import Finisher, Sheet
from resultsq.store.admin import accounts
from tests.browser.conftest import DESK, PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, Shoot, add_files, set_day, submission_of
from tests.support.days import DAY

pytestmark = pytest.mark.long

FindNothing = Callable[[Page], None]
See = Callable[[Page, str], None]

TABLE = b"position,time,athlete\n1,18:00,A1000001\n2,18:30,A1000002\n3,19:00,\n"
TABLE_FILE = FilePayload(name="t.csv", mimeType="text/csv", buffer=TABLE)
NARROW = 320
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKED_AT_BY_AXE = {(DESK[0], "dark"), (PHONE[0], "light")}
"""Colours do not depend on the width, nor widths on the colours."""


@pytest.fixture
def see(shoot: Shoot, find_nothing: FindNothing) -> Callable[[Page, str], None]:
    """Keeps pictures of a page in every look, and fails with what axe finds on it or where it sticks out."""

    def see(page: Page, name: str) -> None:
        page.evaluate("document.activeElement?.blur()")
        before = page.viewport_size
        assert before is not None
        for (width, height), scheme in product((DESK, PHONE), SCHEMES):
            is_for_axe = (width, scheme) in LOOKED_AT_BY_AXE
            if not is_for_axe and "WRITE_PICTURES" not in os.environ:
                continue  # only a picture needs this look
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            shoot(page, f"{name}-{width}-{scheme}")
            if is_for_axe:
                # so tall that the bar at the bottom covers nothing that could be scrolled from under it
                page.set_viewport_size({"width": width, "height": page.evaluate("document.body.scrollHeight") + 50})
                find_nothing(page)
        page.set_viewport_size({"width": NARROW, "height": before["height"]})
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{name} is {wider} px wider than a window of {NARROW}"
        page.set_viewport_size(before)

    return see


def test_axe_finds_nothing_and_nothing_sticks_out_when_every_page_is_looked_at(
    running_node: RunningNode,
    new_page: NewPage,
    log_in: LogIn,
    see: See,
) -> None:
    team = running_node.team("looks")
    page = new_page()
    page.goto("/login")
    see(page, "login")
    secret = running_node.database.write(lambda conn: accounts.make_password_link(conn, SystemClock().now(), team))
    page.goto(f"/password/{secret}")
    see(page, "password")
    for path in ("password/used-up", "unsubscribe/a-secret", "nowhere"):
        page.goto(f"/{path}")
        see(page, path.partition("/")[0])
    log_in(page, team)
    see(page, "submit-empty")
    set_day(page)
    add_files(page)
    expect(page.get_by_role("heading", name="things to mend")).to_be_visible()
    page.get_by_role("link", name="Edit position 5").click()
    expect(page.get_by_role("button", name="Change the time")).to_be_visible()
    page.get_by_label("Role").or_(page.get_by_text("Volunteers: none yet")).first.click()
    see(page, "submit-mending")
    page.goto(f"/submit/{team}/table")
    see(page, "table")
    page.goto(f"/submit/{team}")
    page.get_by_role("button", name="A1000003 was in position 3").first.click()
    expect(page.get_by_role("heading", name="One thing to mend")).to_be_visible()
    page.get_by_role("button", name="Drop the scans with tokens above 12").first.click()
    expect(page.get_by_role("heading", name="Ready to submit")).to_be_visible()
    see(page, "submit-ready")
    page.get_by_role("button", name="Submit 12 finishers").click()
    expect(page.get_by_role("status")).to_contain_text("The master has had them since", timeout=20_000)
    see(page, "receipt")
    page.goto(f"/events/{team}")
    see(page, "history")
    page.goto(f"/results/{team}/{DAY}")
    see(page, "public")


def test_a_refusal_and_a_conflict_are_understood_and_decided(
    running_node: RunningNode,
    new_page: NewPage,
    log_in: LogIn,
    see: See,
) -> None:
    team = running_node.team("clash")
    refusal = {
        "title": "The sheet cannot be taken.",
        "status": 422,
        "errors": [{"pointer": "/finishers/1/athlete", "detail": "is suspended"}],
    }
    running_node.master.script(
        {"event": team, "status": 422, "body": refusal, "headers": {"Content-Type": "application/problem+json"}}
    )
    page = log_in(new_page(), team)
    set_day(page)
    add_files(page, TABLE_FILE)
    page.get_by_role("button", name="Submit 3 finishers").click()
    expect(page.get_by_text("The master refused these results")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("row", name="00:18:30")).to_contain_text("is suspended")
    see(page, "rejected")

    publish_elsewhere(running_node, team)
    page.get_by_role("button", name="Correct these results").click()
    page.get_by_role("link", name="Edit position 2").click()
    page.get_by_label("Athlete; empty: Unknown").fill("A1000099")
    page.get_by_role("button", name="Change the athlete").click()
    expect(page.locator("#row-2")).to_contain_text("A1000099")
    page.get_by_role("button", name="Submit the correction").click()
    expect(page.get_by_role("heading", name="Both sheets beside each other")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("the other laptop")).to_be_visible()
    see(page, "conflict")
    page.get_by_role("button", name="Ours are right").click()
    expect(page.get_by_role("status").filter(has_text="The master has had them since")).to_be_visible(timeout=20_000)
    assert running_node.master.receipts()[submission_of(page)]["revision"] == 2


def publish_elsewhere(node: RunningNode, team: str) -> None:
    """Another node publishes other results of the same day."""
    rows = tuple(Finisher(position=n, athlete=f"A100000{n}", time=f"00:18:{n:02}") for n in range(1, 6))
    now = SystemClock().now()
    theirs = Sheet(
        event=team, date=date.fromisoformat(DAY), submitted_by="the other laptop", submitted_at=now, finishers=rows
    )
    answer = requests.put(
        f"{node.master.url}/v1/events/{team}/results/{DAY}",
        data=sheet.canonical_bytes(theirs),
        headers={
            "Content-Type": "application/json",
            "Authorization": "Bearer node-2",
            "Idempotency-Key": f'"{uuid.uuid4()}"',
            "If-None-Match": "*",
        },
        timeout=10,
    )
    assert answer.status_code == 201, answer.text


def test_a_receipt_of_150_finishers_is_one_page_of_paper(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(dark=True), running_node.team("paper"))
    set_day(page)
    rows = "".join(f"{n},{17 + n // 5}:{n % 5 * 11:02},A{1000000 + n}\n" for n in range(1, 151))
    table = FilePayload(name="t.csv", mimeType="text/csv", buffer=b"position,time,athlete\n" + rows.encode())
    add_files(page, table)
    page.get_by_role("button", name="Submit 150 finishers").click()
    expect(page.get_by_role("status")).to_contain_text("The master has had them since", timeout=20_000)
    page.emulate_media(media="print")
    expect(page.locator(".paper .rows li")).to_have_count(150)
    expect(page.locator(".paper .rows li").last).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    page.emulate_media(media="screen")
    expect(page.locator("body")).not_to_have_css("background-color", "rgb(255, 255, 255)")
    for paper in ("A4", "Letter"):
        sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))
        assert len(sheets) == 1, f"{len(sheets)} pages of {paper}"
