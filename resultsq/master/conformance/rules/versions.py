"""Versions of a sheet: each is published on top of the one that its precondition names, and of no other."""

from concurrent.futures import ThreadPoolExecutor

from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Trial, head, receipt

_AT_ONCE = 8


def _correction(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    given = trial.publish(correction := trial.entry(entry.day, 4), entry.submission)
    if given["revision"] != 2:
        raise RuleBroken(given, "The revision of the second sheet is 2.")
    trial.current(correction)
    return "201, revision 2"


def _second_first(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    reply = trial.put(second := trial.entry(entry.day, 4))
    if head(reply) != (entry.submission, 1):
        raise RuleBroken(reply, "The head is not the sheet that is published there.")
    trial.not_committed(second)
    trial.current(entry)
    return "412 with the head"


def _stale(trial: Trial) -> str:
    entry = trial.entry()
    trial.publish(entry)
    trial.publish(newer := trial.entry(entry.day, 4), entry.submission)
    reply = trial.put(late := trial.entry(entry.day, 5), entry.submission)
    if head(reply) != (newer.submission, 2):
        raise RuleBroken(reply, "The head is not the sheet that is published there.")
    trial.not_committed(late)
    trial.current(newer)
    return "412 with the head"


def _on_nothing(trial: Trial) -> str:
    entry, unknown = trial.entry(), trial.entry()
    reply = trial.put(entry, unknown.submission)
    if head(reply) is not None:
        raise RuleBroken(reply, "Nothing is published there, so the head is null.")
    trial.not_committed(entry)
    return "412 with head null"


def _race(trial: Trial) -> str:
    day = trial.day()
    entries = [trial.entry(day, rows) for rows in range(1, _AT_ONCE + 1)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        replies = list(pool.map(trial.put, entries))
    taken = [(entry, reply) for entry, reply in zip(entries, replies, strict=True) if reply.status == 201]
    if len(taken) != 1:
        raise RuleBroken([reply.status for reply in replies], "Of rivals for one place just one is answered 201.")
    entry, reply = taken[0]
    receipt(reply, entry, (201,))
    for other in replies:
        if other is not reply and head(other) != (entry.submission, 1):
            raise RuleBroken(other, "The head is not the sheet that was taken.")
    return f"201 once, 412 {_AT_ONCE - 1} times"


RULES = (
    Rule("correction", "a sheet, If-Match: the current one", "201, revision 2; it is the current sheet", _correction),
    Rule("place is taken", "If-None-Match: * where a sheet is", "412 with its head; nothing changes", _second_first),
    Rule("stale correction", "If-Match: a sheet with a newer version", "412 with the newer as head", _stale),
    Rule("nothing to correct", "If-Match where nothing is", "412 with head null", _on_nothing),
    Rule("rivals at once", f"{_AT_ONCE} first sheets for one day at once", "201 once, else 412 with that head", _race),
)
