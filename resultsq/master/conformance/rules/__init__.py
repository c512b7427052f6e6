"""The rules, in the order in which they are checked."""

from resultsq.master.conformance.rules import (
    athletes,
    blocks,
    notices,
    once,
    reading,
    refusals,
    registrations,
    reminders,
    versions,
)
from resultsq.master.conformance.rules.rule import Rule as Rule

RULES: tuple[Rule, ...] = (
    *reading.PROBE,
    *once.RULES,
    *versions.RULES,
    *reading.RULES,
    *athletes.RULES,
    *blocks.RULES,
    *registrations.RULES,
    *reminders.RULES,
    *notices.RULES,
    *refusals.RULES,
)
