"""Every kind of thing that may be queued. A new one is a package, with its template, and a line here."""

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
