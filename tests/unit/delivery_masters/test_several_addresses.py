"""Several addresses of one master: which is used, and that every one of them is told."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from resultsq.delivery.masters import several
from resultsq.delivery.masters.several import SeveralAddresses
from resultsq.domain.athletes import ListQuestion
from resultsq.domain.outcome import Cause, Deferred, Outcome, Rejected
from resultsq.domain.ports import Master, Parcel, ProbeAnswer

GOOD = ProbeAnswer(None, "", 0.01)
BAD = ProbeAnswer(Cause.REFUSED, "", 0.01)
CUT = Deferred(Cause.RESET, "It was cut.", in_doubt=True)
PARCEL = cast(Parcel, object())


class AnAddress:
    """One address: its probe's answer, which may wait for a sign, and the end of each sheet."""

    def __init__(self, answer: ProbeAnswer = GOOD, outcome: Outcome = CUT) -> None:
        self.answer, self.outcome = answer, outcome
        self.go = threading.Event()
        self.go.set()
        self.on_stalled: Callable[[], None] = lambda: None
        self.asked: list[str] = []
        self.sent: list[float] = []
        self.stalled = 0

    def probe(self) -> ProbeAnswer:
        self.go.wait(30)
        return self.answer

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        self.sent.append(patience_s)
        return self.outcome

    def abort_stalled(self, began_before: float) -> int:
        return self.stalled

    def __getattr__(self, name: str) -> Callable[..., str]:
        def call(*arguments: Any) -> str:
            self.asked.append(name)
            return f"{name} {arguments}"

        return call


def opened(*addresses: AnAddress) -> SeveralAddresses:
    return SeveralAddresses(cast(Sequence[Master], addresses))


@pytest.mark.parametrize(
    ("answers", "in_use"), [((GOOD, GOOD), 0), ((BAD, GOOD), 1), ((BAD, BAD, GOOD), 2), ((BAD, GOOD, GOOD), 1)]
)
def test_the_first_that_answers_well_is_used_and_is_kept(answers: Sequence[ProbeAnswer], in_use: int) -> None:
    addresses = [AnAddress(answer) for answer in answers]
    master = opened(*addresses)
    with capture_logs() as lines:
        assert master.probe().cause is None
    assert [line["number"] for line in lines] == [in_use + 1] * (in_use > 0), "as a person counts"
    for address in addresses:
        address.answer = GOOD
    assert master.probe().cause is None
    master.send(PARCEL, 7.0)
    assert [address.sent for address in addresses] == [[7.0] if n == in_use else [] for n in range(len(addresses))]


def test_the_address_in_use_is_the_one_whose_trouble_is_told() -> None:
    one, two = AnAddress(BAD), AnAddress(ProbeAnswer(Cause.TIMEOUT, "", 0.01))
    master = opened(one, two)
    assert master.probe().cause is Cause.REFUSED
    master._in_use = 1
    assert master.probe().cause is Cause.TIMEOUT


def test_a_late_answer_of_the_address_in_use_is_waited_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "GRACE_S", 20.0)
    one, two = AnAddress(), AnAddress()
    one.go.clear()
    master = opened(one, two)
    threading.Timer(0.2, one.go.set).start()
    master.probe()
    assert master._in_use == 0, "it was a little later"
    monkeypatch.setattr(several, "GRACE_S", 0.1)
    one.go.clear()
    master.probe()
    one.go.set()
    assert master._in_use == 1


def test_the_answers_of_others_are_not_waited_for() -> None:
    one, two = AnAddress(), AnAddress()
    two.go.clear()
    assert opened(one, two).probe() is one.answer
    two.go.set()


def test_the_trouble_of_an_address_that_hangs_is_that_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_LONGEST_PROBE_S", 5.0)  # in which the other surely answers
    one, two = AnAddress(), AnAddress(BAD)
    one.go.clear()
    assert opened(one, two).probe() is two.answer
    one.go.set()


def test_a_sheet_that_met_trouble_of_the_link_sends_the_next_one_by_another_address() -> None:
    addresses = [AnAddress() for _ in range(3)]
    master = opened(*addresses)
    for _ in range(4):
        master.send(PARCEL)
    assert [len(address.sent) for address in addresses] == [2, 1, 1]


@pytest.mark.parametrize("outcome", [Deferred(Cause.BUSY, "Busy.", in_doubt=True), Rejected("gone", "No.")])
def test_an_address_is_kept_when_the_master_has_answered(outcome: Outcome) -> None:
    one, two = AnAddress(outcome=outcome), AnAddress()
    master = opened(one, two)
    for _ in range(3):
        assert master.send(PARCEL) == outcome
    assert (len(one.sent), len(two.sent)) == (3, 0)


def test_an_address_is_left_once_when_many_sheets_met_its_trouble_together() -> None:
    one, two, three = AnAddress(), AnAddress(), AnAddress()
    master = opened(one, two, three)

    def send(parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        master._in_use = 1  # by another sender, meanwhile
        return CUT

    one.send = send  # type: ignore[method-assign]
    master.send(PARCEL)
    assert master._in_use == 1


def test_questions_go_by_the_address_in_use() -> None:
    one, two = AnAddress(BAD), AnAddress()
    master = opened(one, two)
    master.probe()
    asks: list[Callable[[], object]] = [
        lambda: master.receipt("id"),
        lambda: master.receipts(None, None, "c"),
        lambda: master.athletes(ListQuestion()),
        lambda: master.notices("tag"),
        lambda: master.lease_block("key", 5),
    ]
    names = ["receipt", "receipts", "athletes", "notices", "lease_block"]
    for name, ask in zip(names, asks, strict=True):
        assert str(ask()).startswith(name)
    assert (one.asked, two.asked) == ([], names)


def test_every_address_is_told_what_concerns_all() -> None:
    addresses = [AnAddress(), AnAddress()]
    master = opened(*addresses)
    master.use_token("another")
    master.refresh()
    master.close()
    assert [address.asked for address in addresses] == [["use_token", "refresh", "close"]] * 2
    for number, address in enumerate(addresses, 1):
        address.stalled = number
    assert master.abort_stalled(1.0) == 3

    def told() -> None:
        """What a silent call tells."""

    master.on_stalled = told
    assert master.on_stalled is told
    assert all(address.on_stalled is told for address in addresses)
