"""The operators' pages under /admin: overview, list, one submission, errors, audit, actions. One module a purpose.

base.py     the blueprint, and what all pages share: times, words, who may act
chart.py     the chart, drawn on the server: pure
timeline.py  the way of one submission, drawn: pure
overview.py  the overview and the live part of every page
browse.py    the list with its filters and its CSV, and one submission
records.py   errors in groups, and the audit
actions.py       what changes something: actions, holds, a conflict's end
reports.py   the report of an outage, and its post on the public page
notices.py   notices to teams
people.py    accounts
events.py    events
tokens.py    tokens of programs
imports.py     lists that an admin brings as CSV, and QR codes
welcome.py   the first steps of a new node
"""

from resultsq.web.dashboard import actions, browse, events, notices, overview, people, records, reports, tokens, welcome
from resultsq.web.dashboard.base import blueprint

__all__ = [
    "actions",
    "blueprint",
    "browse",
    "events",
    "notices",
    "overview",
    "people",
    "records",
    "reports",
    "tokens",
    "welcome",
]
