"""The kinds that the master takes beside results: how the body of each is read. A new one is a module and a line here.

Written from the contract alone, as all of the master: a mistake cannot be made the same way on both sides."""

from collections.abc import Callable

from resultsq.master.body import Body as Body
from resultsq.master.kinds import messages, registrations, reminders
from resultsq.master.rules import Invalid, UnreadableSheet

KINDS: dict[str, Callable[[bytes], Body | Invalid | UnreadableSheet]] = {
    "messages": messages.read,
    "registrations": registrations.read,
    "reminders": reminders.read,
}
