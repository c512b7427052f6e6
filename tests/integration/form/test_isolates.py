"""Names in Arabic sentences are set apart, once; other languages, and what programs read, have no such signs."""

import re

import pytest

from resultsq.domain.isolates import END, START
from tests.integration.form.conftest import FILES, Browser, Site

NAME = "results (1).csv"
APART = f"{START}{NAME}{END}"
SIGNS = re.compile(f"[{START}{END}]")
TWICE = re.compile(f"{START}{START}[^{START}{END}]*{END}{END}")
BROKEN = [(NAME, b"position,time,athlete\n1,18:00,A1\nx,19:00,A2\n"), ("empty (2).csv", b"")]


def speaks(site: Site, language: str) -> Browser:
    """A team that reads this language."""
    team = site.browser("bushy")
    team.post("/language", {"language": language}, "/submit/bushy")
    return team


def test_a_name_is_set_apart_in_each_arabic_sentence_and_only_once(site: Site) -> None:
    team = speaks(site, "ar")
    team.drop(BROKEN)
    pages = [team.get("/submit/bushy").text]
    team.post("/submit/bushy/restart", {}, "/submit/bushy")
    sent = team.submit([(NAME, FILES[0][1]), *FILES[1:]])
    pages += [team.get(path).text for path in (f"/submissions/{sent}", "/events/bushy", "/account")]
    for text in pages:
        assert '<html lang="ar" dir="rtl">' in text
        assert len(SIGNS.findall(text)) >= 4
        assert not TWICE.search(text)
        shown = re.sub(r"<[^>]*>", "", text)
        assert shown.count(NAME) == shown.count(APART)
    assert sum(text.count(APART) for text in pages) >= 3


def test_other_languages_and_what_programs_read_have_no_such_signs(site: Site) -> None:
    german = speaks(site, "de")
    german.drop(BROKEN)
    assert not SIGNS.search(german.get("/submit/bushy").text)
    german.post("/submit/bushy/restart", {}, "/submit/bushy")
    sent = german.submit([(NAME, FILES[0][1]), *FILES[1:]])
    for path in (f"/submissions/{sent}/results.csv", f"/submissions/{sent}/volunteers.csv"):
        answer = german.get(f"{path}?language=ar")
        assert answer.status_code == 200
        assert not SIGNS.search(answer.text + str(answer.headers))


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_program_that_is_refused_reads_no_such_signs(site: Site, language: str) -> None:
    refused = site.browser().get("/api/v1/submissions", headers={"Accept-Language": language})
    assert refused.status_code == 401
    assert not SIGNS.search(refused.text)
