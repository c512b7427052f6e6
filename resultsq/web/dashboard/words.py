"""What the buttons and dialogs of each action say."""

from dataclasses import dataclass

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class Words:
    """`button` is the verb itself; `meaning` what becomes of the submissions; `needs_reason`: it stops something;
    `takes_time`: it may end by itself."""

    button: str
    meaning: str
    needs_reason: bool = False
    takes_time: bool = False


VERBS: dict[str, Words] = {
    "retry": Words(
        _("Retry now"),
        _("They are tried in their turn at once, as fast as the slow start allows. It costs them no attempt."),
    ),
    "hold": Words(
        _("Hold"),
        _("They stay where they are and are not sent until they are released. Held means kept."),
        needs_reason=True,
        takes_time=True,
    ),
    "release": Words(_("Release"), _("Holds on them end, and they go in their turn.")),
    "withdraw": Words(
        _("Withdraw"),
        _("They are never sent, unless that is undone, which works for 30 days. What the master may have is skipped."),
        needs_reason=True,
    ),
    "undo": Words(
        _("Undo withdrawal"), _("They are back in the queue, where nothing has taken their place meanwhile.")
    ),
}

PUBLISH_OVER = Words(
    _("Publish over it"),
    _("This version is sent again, to stand on top of what is published there now. That one stays in the history."),
    needs_reason=True,
)
