"""What a node reads: the probe, the current sheet, and receipts."""

from collections.abc import Iterator

from resultsq.master.conformance.client import Reply
from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import (
    RuleBroken,
    Skipped,
    Trial,
    TrialEntry,
    check_receipt,
    each,
    moment,
    receipt,
    refused,
    tag,
)

_PAGE = 2
_MOST_PAGES = 100


def _probe(trial: Trial) -> str:
    reply = trial.client.get("/v1/health", token="")
    if reply.status != 200 or reply.media_type != "application/json":
        raise RuleBroken(reply, "The probe is answered 200 with application/json, without any credentials.")
    if reply.object.get("service") != "results-master":
        raise RuleBroken(reply, 'It does not say "service": "results-master".')
    return "200, results-master"


def _latest(trial: Trial) -> str:
    before = _count(trial)
    given = trial.publish(trial.entry())
    reply = trial.client.get("/v1/health", token="")
    if _count(trial) <= before:
        raise RuleBroken(reply, "A sheet was committed, and the count of receipts did not grow.")
    newest = moment(reply.object["latest"].get("received_at"), reply)
    if newest < moment(given["received_at"], reply):
        raise RuleBroken(reply, "The newest receipt is older than one that was just given.")
    return "the count grew"


def _count(trial: Trial) -> int:
    reply = trial.client.get("/v1/health", token="")
    latest = reply.object.get("latest")
    if latest is None:
        raise Skipped("The probe does not tell the newest receipt: a master of version 1 need not.")
    count = latest.get("count") if isinstance(latest, dict) else None
    if isinstance(count, bool) or not isinstance(count, int):
        raise RuleBroken(reply, "The newest receipt is given as {received_at, count}.")
    return count


def _sheet(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    reply = trial.client.get(entry.path)
    if reply.status != 200 or tag(reply) != entry.submission:
        raise RuleBroken(reply, "The ETag is not the id of the sheet that is published there.")
    if reply.body != entry.body:
        raise RuleBroken(reply, "These are other bytes than those that were sent.")
    return "200, the bytes that were sent"


def _no_sheet(trial: Trial) -> str:
    refused(trial.client.get(trial.entry().path), 404)
    return "404 with problem details"


def _receipt(trial: Trial) -> str:
    entry = trial.entry()
    given = trial.publish(entry)
    reply = trial.client.get(f"/v1/submissions/{entry.submission}")
    if receipt(reply, entry) != given:
        raise RuleBroken(reply, "This is not the receipt that the PUT got.")
    return "200, the same receipt"


def _no_receipt(trial: Trial) -> str:
    refused(trial.client.get(f"/v1/submissions/{trial.entry().submission}"), 404)
    return "404 with problem details"


def _receipts(trial: Trial) -> str:
    entries = [trial.entry() for _ in range(3)]
    given = {entry.submission: trial.publish(entry)["received_at"] for entry in entries}
    first, *_, last = given.values()
    listed = list(each(_pages(trial, since=first)))
    if not all(isinstance(one, dict) for one in listed):
        raise RuleBroken(listed, "A receipt is an object.")
    _check_list(entries, [one for one in listed if one.get("submission") in given])
    times = [moment(one.get("received_at"), one) for one in listed]
    if times != sorted(times):
        raise RuleBroken(times, "Receipts are listed oldest first.")
    if times[0] < moment(first, first):
        raise RuleBroken(listed[0], "A receipt from before `since` is listed.")
    earlier = [one.get("submission") for one in each(_pages(trial, since=first, until=last))]
    if entries[-1].submission in earlier:
        raise RuleBroken(last, "A receipt of the moment `until` is listed: it ends before it.")
    return "each once, oldest first"


def _check_list(entries: list[TrialEntry], listed: list[dict[str, object]]) -> None:
    submissions = [one["submission"] for one in listed]
    for entry in entries:
        if submissions.count(entry.submission) != 1:
            raise RuleBroken(f"{submissions.count(entry.submission)} times", "A receipt is listed not just once.")
        check_receipt(listed[submissions.index(entry.submission)], entry, listed)


def _pages(trial: Trial, **query: str) -> Iterator[Reply]:
    """All pages of the list of receipts."""
    for _ in range(_MOST_PAGES):
        page = trial.client.get("/v1/receipts", limit=str(_PAGE), **query)
        yield page
        if len(page.object.get("receipts", ())) > _PAGE:
            raise RuleBroken(page, "There are more receipts on a page than `limit` allows.")
        if (following := page.object.get("next")) is None:
            return
        query["cursor"] = str(following)
    raise RuleBroken(f"{_MOST_PAGES} pages", "The list of receipts does not end.")


def _other_node(trial: Trial) -> str:
    if not trial.other_token:
        raise Skipped("Give a second node's token with --other-token.")
    entry = trial.entry()
    given = trial.publish(entry)
    reply = trial.client.get("/v1/receipts", token=trial.other_token, since=given["received_at"])
    if reply.status != 200 or any(one.get("submission") == entry.submission for one in each(iter([reply]))):
        raise RuleBroken(reply, "Receipts of another node's sheets are listed.")
    again = trial.put(entry, token=trial.other_token)
    if again.status == 403:
        raise Skipped("The other node's token does not cover the event.")
    if receipt(again, entry) != given:
        raise RuleBroken(again, "This is not the receipt that the first node got.")
    return "200, the same receipt, listed for the first node only"


PROBE = (Rule("probe", "GET /v1/health without credentials", '200, "service": "results-master"', _probe),)
RULES = (
    Rule("newest receipt", "the probe before and after a sheet", "latest.count grows", _latest),
    Rule("current sheet", "GET of a published sheet", "200, its id as ETag, its bytes", _sheet),
    Rule("no sheet", "GET where nothing is published", "404 with problem details", _no_sheet),
    Rule("receipt", "GET of a receipt", "200, the receipt that the PUT got", _receipt),
    Rule("no receipt", "GET of an unknown receipt", "404 with problem details", _no_receipt),
    Rule(
        "list of receipts", "GET /v1/receipts, page by page", "each once, oldest first, since <= t < until", _receipts
    ),
    Rule("two nodes", "one sheet by two nodes", "200 and the first receipt; listed for one", _other_node),
)
