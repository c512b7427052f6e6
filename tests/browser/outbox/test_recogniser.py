"""What the page says of a file without the node is a subset of what the node says of it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import ScannerFile, StopwatchFile
from resultsq.readers import read
from tests.support.processes import ROOT

pytestmark = pytest.mark.long

MODULES = ROOT / "resultsq" / "web" / "static" / "outbox"
SAMPLES = sorted(path for path in (ROOT / "tests" / "samples").rglob("*") if path.is_file())
RECOGNISED = {
    "junsd.csv", "junsd_lone_cr.csv", "opticon.txt", "opticon_opn2001.txt", "virtual_volunteer_android.csv",
    "virtual_volunteer_ios.csv", "virtual_volunteer_scanner.csv", "webfms.txt",
}  # fmt: skip
"""The devices' own files: each is to be recognised, or the page says nothing at all."""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Any:
    context = chromium.new_context()
    opened = context.new_page()

    def answer(route: Any) -> None:
        name = route.request.url.rpartition("/")[2]
        if name.endswith(".js"):
            route.fulfill(body=(MODULES / name).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<title>modules</title>", content_type="text/html")

    opened.route("**/*", answer)
    opened.goto("https://modules.test/")
    yield opened
    context.close()


def recognised(page: Page, contents: list[bytes]) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = page.evaluate(
        """async (files) => {
            const { recognise } = await import("/recognise.js");
            return files.map((bytes) => recognise(Uint8Array.from(bytes)));
        }""",
        [list(content) for content in contents],
    )
    return found


def by_the_node(path: Path, content: bytes) -> dict[str, Any] | None:
    try:
        file = read(path.name, content)
    except FileRefused:
        return None
    day = file.held_on if isinstance(file, StopwatchFile) else None
    day = file.scanned_on if isinstance(file, ScannerFile) else day
    return {"kind": str(file.kind), "count": file.used, "day": day}


def test_the_page_says_of_every_sample_what_the_node_says_or_nothing(page: Page) -> None:
    contents = [path.read_bytes() for path in SAMPLES]
    cut = [content[: len(content) * 2 // 3] for content in contents]
    for pieces in (contents, cut):
        told = recognised(page, pieces)
        for path, content, said in zip(SAMPLES, pieces, told, strict=True):
            if said is None:
                continue
            node = by_the_node(path, content)
            assert node is not None, f"{path.name}: {said}, and the node refuses it"
            assert (said["kind"], said["count"]) == (node["kind"], node["count"]), path.name
            assert said["day"] in (None, node["day"]), path.name
    known = {path.name for path, said in zip(SAMPLES, recognised(page, contents), strict=True) if said}
    assert known >= RECOGNISED
    days = {said["day"] for said in recognised(page, contents) if said}
    assert "2026-03-14" in days


def test_the_digest_without_subtle_is_the_digest(page: Page) -> None:
    wrong = page.evaluate(
        """async () => {
            const { plainSha256, sha256, base64 } = await import("/digest.js");
            const found = [];
            for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 100000]) {
                const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + length) % 256);
                if (plainSha256(bytes) !== (await sha256(bytes))) found.push(length);
                if (atob(base64(bytes)).length !== length) found.push(-length);
            }
            return found;
        }"""
    )
    assert wrong == []
    empty = page.evaluate('import("/digest.js").then((one) => one.plainSha256(new Uint8Array()))')
    assert empty == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
