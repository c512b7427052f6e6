"""The rules, in the order in which they are checked."""

from resultsq.master.conformance.rules import once, reading, refusals, versions
from resultsq.master.conformance.rules.rule import Rule as Rule

RULES: tuple[Rule, ...] = (*reading.PROBE, *once.RULES, *versions.RULES, *reading.RULES, *refusals.RULES)
