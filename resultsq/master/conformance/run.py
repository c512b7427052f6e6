"""Runs the rules, one after the other, and reports each result."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from resultsq.master.conformance.client import NoReply
from resultsq.master.conformance.rules import RULES, Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Stopped, Trial


class RuleVerdict(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a rule. `reason`: why it failed or was skipped."""

    rule: str
    sent: str
    expected: str
    came: str
    result: RuleVerdict
    reason: str = ""


def announcement(trial: Trial) -> str:
    """What a run will write, to be said before it begins."""
    if trial.first_day is None:
        days = "days drawn at random from the years 1970 to 1999"
    else:
        days = f"{trial.first_day} and the days after it"
    return (
        f"This publishes about 30 small sheets of made-up results for the event {trial.event} at {trial.client.url}, "
        f"on {days}. Their receipts stay at the master for ever. A few athlete numbers are leased and returned."
    )


def run(trial: Trial) -> Iterator[Result]:
    """Check each rule.

    :raises Stopped: no master is there, or it takes nothing for this event and token"""
    try:
        trial.client.get("/v1/health", token="")
    except NoReply as error:
        raise Stopped(f"No master answers at {trial.client.url}: {error}.") from error
    for rule in RULES:
        yield check(rule, trial)


def check(rule: Rule, trial: Trial) -> Result:
    """Check one rule."""
    came, verdict, reason = "", RuleVerdict.OK, ""
    try:
        came = rule.check(trial)
    except RuleBroken as broken:
        came, verdict, reason = broken.came, RuleVerdict.FAILED, broken.why
    except NoReply as error:
        came, verdict, reason = str(error), RuleVerdict.FAILED, "The master did not answer."
    except Skipped as skipped:
        verdict, reason = RuleVerdict.SKIPPED, str(skipped)
    return Result(rule.name, rule.sent, rule.expected, came, verdict, reason)
