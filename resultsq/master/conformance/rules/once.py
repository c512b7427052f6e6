"""Exactly once: whatever is sent twice is committed once and gets the same receipt."""

import gzip
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Trial, receipt, refused

_AT_ONCE = 8


def _first(trial: Trial) -> str:
    given = trial.publish(trial.entry())
    if given["revision"] != 1:
        raise RuleBroken(given, "The revision of the first sheet is 1.")
    return "201, its receipt"


def _plain(trial: Trial) -> str:
    trial.publish(trial.entry(), packed=False)
    return "201, its receipt"


def _repeat(trial: Trial) -> str:
    entry = trial.entry()
    first = trial.publish(entry)
    reply = trial.put(entry, packed=False)
    if receipt(reply, entry) != first:
        raise RuleBroken(reply, "This is not the receipt of the first time.")
    return "200, the same receipt"


def _late_repeat(trial: Trial) -> str:
    entry = trial.entry()
    first = trial.publish(entry)
    trial.publish(trial.entry(entry.day, 4), entry.submission)
    reply = trial.put(entry)
    if receipt(reply, entry) != first:
        raise RuleBroken(reply, "This is not the receipt of the first time.")
    return "200, the same receipt"


def _id_reused(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    reply = trial.put(replace(trial.entry(entry.day, 4), submission=entry.submission), entry.submission)
    return _refused_as_reused(trial, reply.problem.get("code"), refused(reply, 409), entry.submission, entry.path)


def _other_bytes(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    reply = trial.put(replace(entry, body=entry.body.replace(b",", b", ", 1)))
    return _refused_as_reused(trial, reply.problem.get("code"), refused(reply, 409), entry.submission, entry.path)


def _refused_as_reused(trial: Trial, code: object, given: object, submission: str, path: str) -> str:
    if code not in (None, "id-reused"):
        raise RuleBroken(given, "The code of such a 409 is id-reused, or there is none.")
    reply = trial.client.get(path)
    if submission not in reply.headers.get("ETag", ""):
        raise RuleBroken(reply, "It was refused, and yet another sheet is published.")
    return "409, nothing changed"


def _lost_answer(trial: Trial) -> str:
    entry = trial.entry()
    headers = {**entry.headers(None), "Content-Encoding": "gzip"}
    trial.client.put_and_hang_up(entry.path, gzip.compress(entry.body), headers)
    reply = trial.put(entry)
    given = receipt(reply, entry, (200, 201))
    if given["revision"] != 1:
        raise RuleBroken(reply, "The sheet was published twice.")
    if (again := trial.client.get(f"/v1/submissions/{entry.submission}")).object != given:
        raise RuleBroken(again, "This is not the receipt that the PUT got.")
    return f"{reply.status}, one receipt"


def _all_at_once(trial: Trial) -> str:
    entry = trial.entry()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        replies = list(pool.map(lambda _: trial.put(entry), range(_AT_ONCE)))
    given = [receipt(reply, entry, (200, 201)) for reply in replies]
    if any(one != given[0] for one in given):
        raise RuleBroken(given, "The receipts differ: the sheet was committed more than once.")
    new = sum(reply.status == 201 for reply in replies)
    if new != 1:
        raise RuleBroken([reply.status for reply in replies], "Of equal requests just one is answered 201.")
    return f"201 once, 200 {_AT_ONCE - 1} times, one receipt"


RULES = (
    Rule("first sheet", "a sheet, If-None-Match: *, gzip", "201 and its receipt, revision 1", _first),
    Rule("plain body", "a sheet that is not packed", "201 and its receipt", _plain),
    Rule("repeat", "the same sheet again, packed otherwise", "200 and the first receipt", _repeat),
    Rule("late repeat", "the first sheet again, after its correction", "200 and the first receipt", _late_repeat),
    Rule("id used again", "another sheet under a known id", "409; the sheet there stays", _id_reused),
    Rule("digest of bytes", "a known id, one blank more in the body", "409; the sheet there stays", _other_bytes),
    Rule("lost answer", "a sheet, hang up, the sheet again", "200 or 201, one receipt, revision 1", _lost_answer),
    Rule("equal at once", f"{_AT_ONCE} equal requests at once", "201 once, else 200; one receipt", _all_at_once),
)
