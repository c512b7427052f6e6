"""The office's notices to teams: what each has. A master need not have them."""

from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, moment

_PATH = "/v1/notices"


def _notices(trial: Trial) -> str:
    reply = trial.client.get(_PATH, after="")
    if reply.status == 404:
        raise Skipped("The master has no notices: it need not.")
    listed = reply.object.get("notices")
    if reply.status != 200 or not isinstance(listed, list):
        raise RuleBroken(reply, "The list of notices is 200 with `notices`, a list.")
    for one in listed:
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) and one[name] for name in _TEXTS):
            raise RuleBroken(one, "A notice has an id, a title and a text.")
        if moment(one.get("until"), one) <= moment(one.get("at"), one):
            raise RuleBroken(one, "A notice ends after it begins.")
    again = trial.client.get_unless(reply.headers.get("ETag", '"none"'), _PATH, after="")
    if again.status not in (200, 304):
        raise RuleBroken(again, "An unchanged list is answered with 304, or sent again.")
    return f"{len(listed)} notices; {again.status}"


_TEXTS = ("id", "title", "text")

RULES = (Rule("notices", "GET /v1/notices, twice", "notices with their times; then 304 or the list", _notices),)
