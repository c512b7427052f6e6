"""What may be handed to a relay, and when."""

from resultsq.delivery import sender
from resultsq.domain.destinations import MAIL, MASTER
from resultsq.domain.outcome import Redirected
from resultsq.domain.submission import State
from resultsq.store.outbox import handovers
from tests.support.nodes import StoreNode, lost

RELAY = "relay.example.org:443"


def _begun(node: StoreNode) -> list[str]:
    calls, _ = node.database.write(lambda conn: handovers.begin(conn, node.now, RELAY, 0, 10))
    return [call.parcel.submission for call in calls]


def test_a_correction_is_handed_on_only_when_the_relay_has_what_it_corrects(node: StoreNode) -> None:
    node.probe()
    first = node.accept(rows=3).id
    (lease,) = node.claim(free=1)
    later = node.accept(rows=4, corrects=first).id
    assert _begun(node) == [], "the first is being sent, and the other waits for its end"
    node.turn(sender.settlement(lease, lost(), 0.1, 0.5), free=0)
    assert _begun(node) == [first]
    assert _begun(node) == [], "the relay has not said that it has it"
    node.database.write(lambda conn: handovers.kept(conn, node.now, lease.seq, 30))
    assert _begun(node) == [later]


def test_what_a_relay_has_goes_to_no_other_destination_until_the_relay_has_answered(node: StoreNode) -> None:
    node.probe()
    sent = node.accept(rows=3).id
    _begun(node)
    lease = node.claim_one()
    node.settle(lease, Redirected(MAIL, "The master has no call for this."))
    row = node.row(sent)
    assert (row.destination, row.state, row.in_doubt) == (MASTER, State.QUEUED, True)
    node.database.write(lambda conn: handovers.give_up(conn, lease.seq))
    node.pass_time(61)
    node.settle(node.claim_one(), Redirected(MAIL, "The master has no call for this."))
    row = node.row(sent)
    assert (row.destination, row.state, row.in_doubt) == (MAIL, State.QUEUED, False)
