"""The page on which runners register: each fault beside its field, one registration a form, a bound on strangers."""

import html
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.athletes import Athlete
from resultsq.domain.errors import SettingsError
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import number_blocks
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import slips
from resultsq.wakeup import Bell
from resultsq.web import register
from resultsq.web.factory import create_app
from tests.integration.form.conftest import STOPWATCH, Browser, populated  # noqa: F401 - a fixture
from tests.integration.registrations.conftest import KEYS, sealing
from tests.support import speech
from tests.support.athletes import load
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW
from tests.support.runners import FIELDS
from tests.support.templates import compiled_once


class OpenSite:
    """A node where runners register, with numbers at hand."""

    def __init__(self, folder: Path, numbers: int = 10, **settings: Any) -> None:
        chosen = {"registration": True, **settings}
        self.settings = Settings(data_dir=folder, **chosen)
        self.database = sealing(self.settings.store_url, KEYS)
        self.clock = ManualClock(NOW)
        self.app = compiled_once(create_app(self.settings, self.database, clock=self.clock, bell=Bell("")))
        if numbers:
            block = LeasedBlock("b-1", 90_000_000, 90_000_000 + numbers - 1, NOW.replace(year=2020))
            asked = self.database.write(lambda conn: number_blocks.ask(conn, numbers))
            self.database.write(lambda conn: number_blocks.leased(conn, asked.key, block, block.expires_at))

    def browser(self, name: str | None = None) -> Browser:
        return Browser(self.app.test_client(), name)

    def count(self) -> int:
        with self.database.read() as conn:
            return int(conn.execute(select(func.count()).select_from(Submission)).scalar_one())


@pytest.fixture
def make_site(tmp_path: Path, populated: Path) -> Iterator[Callable[..., OpenSite]]:  # noqa: F811
    made: list[OpenSite] = []

    def make(**settings: Any) -> OpenSite:
        shutil.copy(populated, tmp_path / "resultsq.db")
        made.append(OpenSite(tmp_path, **settings))
        return made[-1]

    yield make
    for site in made:
        site.database.close()


@pytest.fixture
def site(make_site: Callable[..., OpenSite]) -> OpenSite:
    return make_site()


def sent(browser: Browser, **changes: Any) -> Any:
    """Fill in the form and send it; None leaves a field out."""
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not None}
    return browser.post("/register", fields, "/register")


def faults(page: str) -> dict[str, str]:
    """The sentence beside each field."""
    found = re.findall(r'id="wrong-([\w.-]+)">.*?</svg>\s*(.*?)</div>', page, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def test_a_runner_gets_a_slip_with_number_and_barcodes(site: OpenSite) -> None:
    browser = site.browser()
    answer = sent(browser)
    assert answer.status_code == 303
    slip = browser.get(answer.location)
    text = html.unescape(slip.text)
    assert "Zoë O'Brien" in text
    assert "A90000000" in text
    assert text.count("<svg") > 2
    assert "zoe@example.org" not in text
    assert site.browser().get(answer.location).status_code == 200, "on any device that has the address"
    assert slip.headers["Referrer-Policy"] == "no-referrer"
    kept = 'rel="manifest"' in slip.text, 'rel="manifest"' in browser.get("/register").text
    assert kept == (False, True), "the home screen keeps this very page, and not the form"
    assert site.count() == 1


def test_without_a_number_the_slip_says_what_comes(make_site: Callable[..., OpenSite]) -> None:
    site = make_site(numbers=0)
    browser = site.browser()
    text = browser.get(sent(browser).location).text
    assert "Your number follows by e-mail." in text
    assert "barcode" not in text.replace("no barcode yet", "")


def test_nothing_is_there_where_the_setting_is_off(make_site: Callable[..., OpenSite]) -> None:
    site = make_site(registration=False, numbers=0)
    browser = site.browser()
    token = browser.hidden("/login", "/login")["csrf_token"]
    assert browser.get("/register").status_code == 404
    assert browser.client.post("/register", data={"csrf_token": token, **FIELDS}).status_code == 404
    assert browser.get(f"/register/{uuid.uuid4()}").status_code == 404
    assert "/register" not in browser.get("/login").text


def test_each_fault_is_beside_its_field_and_what_was_typed_stays(site: OpenSite) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"given_name": ""}, "given_name"),
        ({"family_name": None}, "family_name"),
        ({"family_name": "x" * 101}, "family_name"),
        ({"born": ""}, "born"),
        ({"born": "yesterday"}, "born"),
        ({"born": "2012-01-01"}, "born"),
        ({"born": "1850-01-01"}, "born"),
        ({"email": ""}, "email"),
        ({"email": "zoe"}, "email"),
        ({"born": "2005-01-01"}, "parent_email"),
        ({"born": "2005-01-01", "parent_email": "mum"}, "parent_email"),
        ({"gender": "?"}, "gender"),
        ({"home_event": "not a slug"}, "home_event"),
        ({"emergency_name": ""}, "emergency_name"),
        ({"emergency_phone": "call me"}, "emergency_phone"),
        ({"consent": ["risk-1"]}, "consent-results-1"),
    ]
    browser = site.browser()
    for changes, field in wrong:
        answer = sent(browser, **changes)
        assert (answer.status_code, set(faults(answer.text))) == (422, {field}), changes
        assert f'aria-describedby="wrong-{field}"' in answer.text
        assert 'value="Max"' in answer.text or "emergency_name" in changes
        assert answer.headers["Cache-Control"] == "no-store"
    assert site.count() == 0


def test_what_the_settings_file_asks_for_is_shown_beside_its_field(
    make_site: Callable[..., OpenSite], tmp_path: Path
) -> None:
    form = tmp_path / "form.toml"
    form.write_text('gender = "required"\nhome_event = "required"\nchild_age = 14\nyoungest = 10\n')
    site = make_site(registration_form=form)
    browser, needed = site.browser(), "This is needed."
    empty = sent(browser, gender="", home_event="", emergency_name="", emergency_phone="", email="")
    fields = ("gender", "home_event", "emergency_name", "emergency_phone", "email")
    assert faults(empty.text) == dict.fromkeys(fields, needed)
    assert faults(sent(browser, gender="X", born="2003-12-08").text) == {"born": "Runners are at least 10 years old."}
    child = sent(browser, gender="X", born="2000-12-07", consent=["risk-1"])
    parent = "Under 14, the e-mail address of a parent is needed."
    assert faults(child.text) == {"parent_email": parent, "consent-results-1": "Please agree to this."}
    form.write_text('gender = "off"\nhome_event = "off"\nemergency = "off"\n')
    answer = sent(make_site(registration_form=form).browser(), gender="X")
    assert answer.status_code == 303, "what is not asked for is not taken"
    with site.database.read() as conn:
        body = slips.body(conn, answer.location.rpartition("/")[2]) or b""
    assert b'"gender":null' in body
    assert b'"home_event":null,"emergency":null' in body


def test_a_child_is_registered_with_a_parents_address(site: OpenSite) -> None:
    browser = site.browser()
    answer = sent(browser, born="2005-01-01", email="", parent_email="mum@example.org")
    assert answer.status_code == 303
    with site.database.read() as conn:
        body = slips.body(conn, answer.location.rpartition("/")[2])
    assert body is not None
    assert b'"email":"mum@example.org"' in body


def test_a_double_tap_is_one_registration_and_another_person_in_the_same_form_is_told(site: OpenSite) -> None:
    browser = site.browser()
    hidden = browser.hidden("/register", "/register")
    taps = [browser.client.post("/register", data={**hidden, **FIELDS}) for _ in range(2)]
    assert taps[0].location == taps[1].location
    assert site.count() == 1
    other = browser.client.post("/register", data={**hidden, **FIELDS, "given_name": "Max"})
    assert other.status_code == 409
    assert 'value="Max"' in other.text
    assert hidden["id"] not in other.text, "a new form, with a new id"
    assert site.count() == 1


def test_a_known_person_gets_the_same_page_as_an_unknown_one(site: OpenSite) -> None:
    browser = site.browser()
    pages = [browser.get(sent(browser).location).text for _ in range(2)]
    own = r'<svg.*?</svg>|A9\d+|[0-9a-f-]{36}|name="csrf_token" value="[^"]+"'  # the last has the second it was made in
    plain = [re.sub(own, "", page, flags=re.DOTALL) for page in pages]
    assert plain[0] == plain[1]


def test_a_program_that_fills_in_everything_is_told_and_nothing_is_stored(site: OpenSite) -> None:
    answer = sent(site.browser(), website="https://spam.example")
    assert answer.status_code == 422
    assert "Website" in answer.text
    assert site.count() == 0


def test_garbage_stores_nothing(site: OpenSite) -> None:
    browser = site.browser()
    token = browser.hidden("/register", "/register")["csrf_token"]
    garbage = [{}, {"given_name": "x" * 5000}, {"id": "no uuid", "born": "\0"}, {"consent": "?"}]
    for one in garbage:
        answer = browser.client.post("/register", data={"csrf_token": token, **one})
        assert answer.status_code in (400, 422), one
    assert site.count() == 0


def test_posts_without_end_from_one_address_end_in_a_friendly_429_and_store_a_few(
    make_site: Callable[..., OpenSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert register.MOST_OF_A_CALLER < 1000
    monkeypatch.setattr(register, "MOST_OF_A_CALLER", 20)  # the same counter, and a shorter test
    site = make_site(numbers=30)
    browser = site.browser()
    hidden = browser.hidden("/register", "/register")
    answers = [
        browser.client.post("/register", data={**hidden, **FIELDS, "id": str(uuid.uuid4())}).status_code
        for _ in range(register.MOST_OF_A_CALLER + 50)
    ]
    assert answers == [303] * register.MOST_OF_A_CALLER + [429] * 50
    last = browser.client.post("/register", data={**hidden, **FIELDS})
    assert "Wait a few minutes" in last.text
    assert int(last.headers["Retry-After"]) > 0
    # what the other thousands meet is this one counter, before anything is read of them
    assert site.count() == register.MOST_OF_A_CALLER
    elsewhere = site.browser()
    elsewhere.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert sent(elsewhere).status_code == 303, "others go on"
    site.clock.advance(register.WITHIN_S + 1)
    assert sent(browser).status_code == 303


def test_fields_and_consents_come_from_the_settings_file(make_site: Callable[..., OpenSite], tmp_path: Path) -> None:
    form = tmp_path / "form.toml"
    form.write_text(
        'gender = "off"\nemergency = "optional"\nchild_age = 0\n'
        '[[consents]]\nid = "terms-2026-01"\ntext = "I agree to <everything>."\n'
        '[[consents]]\nid = "news"\ntext = "Write to me."\nrequired = false\n'
    )
    browser = make_site(registration_form=form).browser()
    page = browser.get("/register").text
    assert "I agree to &lt;everything&gt;." in page
    assert 'name="gender"' not in page
    assert "parent_email" not in page
    answer = sent(browser, consent=["terms-2026-01"], emergency_name="", emergency_phone="")
    assert answer.status_code == 303
    assert set(faults(sent(browser, consent=[]).text)) == {"consent-terms-2026-01"}


def test_a_settings_file_that_makes_no_sense_stops_the_start(
    make_site: Callable[..., OpenSite], tmp_path: Path
) -> None:
    form = tmp_path / "form.toml"
    for text in ("no toml", "colour = 1", 'gender = "maybe"', "[[consents]]\nid = 7"):
        form.write_text(text)
        with pytest.raises(SettingsError, match=r"form\.toml"):
            make_site(registration_form=form)


def test_an_operator_reads_name_number_and_state_and_a_viewer_no_name(site: OpenSite) -> None:
    submission = sent(site.browser()).location.rpartition("/")[2]
    path = f"/admin/submissions/{submission}"
    operator, viewer = site.browser("operator").get(path), site.browser("viewer").get(path)
    shown = html.unescape(operator.text)
    assert all(one in shown for one in ("Zoë O'Brien", "A90000000", "waiting"))
    assert (viewer.status_code, "Brien" in viewer.text) == (200, False)
    assert not [one for one in ("zoe@example.org", "7946", "1990-01-31") if one in operator.text + viewer.text]


def test_a_runner_who_registered_this_morning_is_known_to_the_form(site: OpenSite) -> None:
    load(site.database, [Athlete("A1234567", "Jane SMITH", None, "bushy", 57)], NOW - timedelta(hours=3))
    submission = sent(site.browser()).location.rpartition("/")[2]
    scans = b"A90000000,P0001,07/12/2013 09:20:00\nA90000001,P0002,07/12/2013 09:20:00\n"
    team = site.browser("bushy")
    team.drop([("stopwatch.csv", STOPWATCH), ("scanner.csv", scans)])
    page = html.unescape(team.get("/submit/bushy").text)
    assert "Zoë O'Brien" in page
    assert "no athlete has the number A90000001" in page
    assert "no athlete has the number A90000000" not in page
    site.database.write(lambda conn: outbox.withdraw(conn, NOW, submission))
    page = html.unescape(team.get("/submit/bushy").text)
    assert ("Zoë O'Brien" in page, "no athlete has the number A90000000" in page) == (False, True)


def test_every_sentence_of_the_pages_is_translated(site: OpenSite, tmp_path: Path) -> None:
    speech.mark_everything(site.app, tmp_path / "translations")
    browser = site.browser()
    good = browser.get(sent(browser).location).text
    pages = [good, browser.get("/register").text, sent(browser, **dict.fromkeys(FIELDS, "")).text]
    pages += [sent(browser, born="2010-01-01", website="x").text, sent(browser, born="2005-01-01").text]
    data = re.compile(r"resultsq|Zoë O'Brien|A9\d+|\b[BR]\w+ parkrun")
    assert {piece for page in pages for piece in speech.unmarked(page, data)} == set()
