"""What the buttons and dialogs of each action say, and what codes are called."""

from dataclasses import dataclass

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class VerbLabels:
    """`button` is the verb itself; `meaning` what becomes of the submissions; `needs_reason`: it stops something;
    `takes_time`: it may end by itself."""

    button: str
    meaning: str
    needs_reason: bool = False
    takes_time: bool = False


VERBS: dict[str, VerbLabels] = {
    "retry": VerbLabels(
        _("Retry now"),
        _("They are tried now, in order, as fast as the slow start allows. It costs them no attempt."),
    ),
    "hold": VerbLabels(
        _("Hold"),
        _("They keep their place and are not sent until they are released."),
        needs_reason=True,
        takes_time=True,
    ),
    "release": VerbLabels(_("Release"), _("Their holds end, and they are sent in order.")),
    "withdraw": VerbLabels(
        _("Withdraw"),
        _("They are not sent. You can undo this for 30 days. Those that the master may already have are skipped."),
        needs_reason=True,
    ),
    "resend": VerbLabels(
        _("Send the lost version again, then this one"),
        _("The versions that the master lost are sent again first, in order, and then these."),
    ),
    "undo": VerbLabels(
        _("Undo withdrawal"), _("They go back into the queue, except where a newer version has taken their place.")
    ),
}

PUBLISH_OVER = VerbLabels(
    _("Publish over it"),
    _("This version is sent again and published over the one that is there now. That one stays in the history."),
    needs_reason=True,
)


CODES = {
    "queued": _("queued"),
    "sending": _("sending"),
    "published": _("published"),
    "corrected": _("corrected"),
    "rejected": _("rejected"),
    "conflict": _("conflict"),
    "superseded": _("superseded"),
    "withdrawn": _("withdrawn"),
    "accepted": _("accepted"),
    "deferred": _("deferred"),
    "redirected": _("goes by mail"),
    "unauthorised": _("unauthorised"),
    "under way": _("under way"),
    "team": _("team"),
    "viewer": _("viewer"),
    "operator": _("operator"),
    "admin": _("admin"),
    "destination": _("destination"),
    "event": _("event"),
    "submission": _("submission"),
    "stopwatch": _("stopwatch"),
    "scanner": _("scanner"),
    "table": _("table"),
    "volunteers": _("volunteers"),
    "text": _("text"),
    "events": _("events"),
    "states": _("states"),
    "cause": _("cause"),
    "fingerprint": _("fingerprint"),
    "status": _("status"),
    "attempts_min": _("attempts min"),
    "attempts_max": _("attempts max"),
    "accepted_from": _("accepted from"),
    "accepted_to": _("accepted to"),
    "waiting_only": _("waiting only"),
    "true": _("yes"),
}
"""States, outcomes, roles, scopes, kinds of files and parts of a filter in words."""


def state_label(code: str) -> str:
    """What a code is called; one that is new here stands for itself."""
    return str(CODES.get(code, code))
