"""The public page: true within seconds, alike as page, JSON and feed, and nobody is named on it."""

import re
from typing import Any
from xml.etree.ElementTree import fromstring

from resultsq import languages
from resultsq.domain.isolates import START
from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.store.admin import posts
from tests.integration.dashboard.conftest import LogIn, Person
from tests.support.nodes import StoreNode

ATOM = "{http://www.w3.org/2005/Atom}"


def _outage(node: StoreNode) -> None:
    node.probe(Cause.TIMEOUT)
    node.accept_many(3)
    node.pass_time(1200)


def _json(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.get("/status.json").get_json()
    return found


def test_nothing_is_there_when_the_switch_is_off(log_in: LogIn) -> None:
    person = log_in(Role.OPERATOR)
    assert [person.get(path).status_code for path in ("/status", "/status.json", "/status.atom")] == [404] * 3


def test_page_json_and_feed_change_within_seconds_when_an_outage_begins_and_ends(
    sqlite_node: StoreNode, log_in: LogIn
) -> None:
    node, person = sqlite_node, log_in(Role.VIEWER, public_status=True)
    person.client.delete_cookie("resultsq")  # anybody
    assert "Results are published as they come" in person.page("/status")
    _outage(node)
    page, data = person.page("/status"), _json(person)
    assert "Results are delayed" in page
    assert (data["state"], data["waiting"], data["longest_wait_s"]) == ("delayed", 3, 1200)
    entries = fromstring(person.page("/status.atom")).findall(f"{ATOM}entry")
    assert len(entries) == 1
    assert "going on" in (entries[0].findtext(f"{ATOM}content") or "")
    node.probe()
    for _ in range(3):
        node.publish_one()
    node.pass_time(5)
    assert _json(person)["state"] == "works"
    assert "Results are published as they come" in person.page("/status")
    (incident,) = _json(person)["incidents"]
    assert incident["ended_at"] is not None
    ended = fromstring(person.page("/status.atom")).findall(f"{ATOM}entry")
    assert ended[0].findtext(f"{ATOM}id") == entries[0].findtext(f"{ATOM}id")
    assert ended[0].findtext(f"{ATOM}updated") != entries[0].findtext(f"{ATOM}updated")


def test_the_page_is_there_in_each_language(log_in: LogIn) -> None:
    person = log_in(Role.VIEWER, public_status=True)
    others = re.findall(r'<a href="(\?language=[\w-]+)" hreflang="([\w-]+)"', person.page("/status"))
    assert len(others) == len(languages.available()) - 1
    for query, tag in others:
        assert f'<html lang="{tag}"' in person.page(f"/status{query}")


def test_nobody_and_no_event_is_named_when_anybody_reads_it(sqlite_node: StoreNode, log_in: LogIn) -> None:
    person = log_in(Role.OPERATOR, public_status=True)
    _outage(sqlite_node)
    sqlite_node.hold()
    sqlite_node.pass_time(5)
    for path in ("/status", "/status.json", "/status.atom"):
        answer = person.get(path)
        assert not re.search(r"bushy|olga|operator|timeout|csrf|check", answer.text, re.IGNORECASE), path
        assert answer.headers["Cache-Control"] == "public, max-age=2"
        assert "Set-Cookie" not in answer.headers


def test_a_post_is_public_when_an_operator_says_so_and_no_sooner(sqlite_node: StoreNode, log_in: LogIn) -> None:
    node, operator = sqlite_node, log_in(Role.OPERATOR, public_status=True)
    _outage(node)
    node.probe()
    node.pass_time(5)
    (number,) = re.findall(r"/admin/outages/(\d+)", operator.page("/admin"))
    address = f"/admin/outages/{number}"
    draft = re.search(r"<textarea[^>]*>([^<]+)</textarea>", operator.page(address))
    assert draft is not None
    assert "The central results system could not be reached." in draft[1]
    assert "The central results system could not be reached." not in operator.page("/status")

    assert operator.post(f"{address}/post", text="We are sorry.\n\nAll is well <b>again</b>.").status_code == 303
    node.pass_time(5)
    assert "All is well &lt;b&gt;again&lt;/b&gt;." in operator.page("/status")
    assert _json(operator)["incidents"][0]["post"] == ["We are sorry.", "All is well <b>again</b>."]
    assert "All is well" in operator.page("/status.atom")

    assert operator.post(f"{address}/post/remove").status_code == 303
    node.pass_time(5)
    assert "All is well" not in operator.page("/status")
    assert operator.post(f"{address}/post/remove").status_code == 404
    assert re.findall(r"<td[^>]*>(Post [^<]+)<", operator.page("/admin/audit")) == [
        "Post taken off the public page",
        "Post put on the public page",
    ]


def test_a_draft_with_isolates_can_be_posted(sqlite_node: StoreNode, log_in: LogIn) -> None:
    operator = log_in(Role.OPERATOR, public_status=True)
    _outage(sqlite_node)
    (number,) = re.findall(r"/admin/outages/(\d+)", operator.page("/admin"))
    arabic = operator.client.get(f"/admin/outages/{number}?language=ar").text
    draft = re.search(r"<textarea[^>]*>([^<]+)</textarea>", arabic)
    assert draft is not None
    assert START in draft[1]
    assert operator.post(f"/admin/outages/{number}/post", text=draft[1]).status_code == 303


def test_what_is_no_post_is_refused_in_words_and_kept_in_its_field(sqlite_node: StoreNode, log_in: LogIn) -> None:
    operator = log_in(Role.OPERATOR, public_status=True)
    _outage(sqlite_node)
    (number,) = re.findall(r"/admin/outages/(\d+)", operator.page("/admin"))
    for text, words in (("", "has some text"), ("x" * 4001, "at most 4000"), ("bell \a", "plain text")):
        answer = operator.post(f"/admin/outages/{number}/post", text=text)
        assert answer.status_code == 422
        assert words in answer.text
    assert "x" * 4001 in operator.post(f"/admin/outages/{number}/post", text="x" * 4001).text
    assert operator.post("/admin/outages/999/post", text="Sorry.").status_code == 404


def test_a_viewer_reads_the_post_and_changes_nothing(sqlite_node: StoreNode, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER, public_status=True)
    _outage(sqlite_node)
    (number,) = re.findall(r"/admin/outages/(\d+)", viewer.page("/admin"))
    assert "<textarea" not in viewer.page(f"/admin/outages/{number}")
    assert viewer.post(f"/admin/outages/{number}/post", text="Sorry.").status_code == 403


def test_a_post_takes_the_place_of_the_one_before(node: StoreNode) -> None:
    _outage(node)
    outage = node.outages()[0].id
    node.database.write(lambda conn: posts.put(conn, node.now, "olga", outage, "First."))
    node.database.write(lambda conn: posts.put(conn, node.now, "otto", outage, "Second."))
    with node.database.read() as conn:
        assert [(one.text, one.posted_by) for one in posts.of(conn, [outage]).values()] == [("Second.", "otto")]
    assert node.database.write(lambda conn: posts.remove(conn, outage))
    assert not node.database.write(lambda conn: posts.remove(conn, outage))
