"""Every kind of thing that may be queued. A new one is a package, with its template, and a line here."""

from collections.abc import Mapping

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.ports import Kind
from resultsq.kinds.mails.kind import MailsKind
from resultsq.kinds.messages.kind import MessagesKind
from resultsq.kinds.registrations.kind import RegistrationsKind
from resultsq.kinds.reminders.kind import RemindersKind
from resultsq.kinds.results.kind import ResultsKind

_ALL: tuple[Kind, ...] = (
    ResultsKind(),
    MessagesKind(),
    MailsKind(),
    RemindersKind(),
    RegistrationsKind(),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}


def title(kind: str) -> str:
    """What people call a kind; one that this version does not know stands for itself."""
    return gettext(KINDS[kind].title) if kind in KINDS else kind


def counted(counts: Mapping[str, int]) -> str:
    """So many of each kind, as a list in a sentence."""
    return cldr.listed(_counted(kind, count) for kind, count in sorted(counts.items()))


def _counted(kind: str, count: int) -> str:
    return ngettext(*KINDS[kind].counted, count) if kind in KINDS else f"{cldr.number(count)} {kind}"
