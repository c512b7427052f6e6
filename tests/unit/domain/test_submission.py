"""The table of moves, as the upload contract and the queue's story need it."""

import pytest

from resultsq.domain.submission import GONE, MOVES, NEEDS_A_PERSON, WAITING, State, may_move

S = State


def reachable(start: State) -> set[State]:
    found, line = {start}, [start]
    while line:
        line += (new := MOVES[line.pop()] - found)
        found |= new
    return found


def test_every_state_has_its_row_and_can_be_reached() -> None:
    assert set(MOVES) == set(State) == reachable(S.QUEUED)


@pytest.mark.parametrize("state", [state for state in State if state not in (S.PUBLISHED, S.CORRECTED)])
def test_the_way_to_publication_leads_over_a_lease_only(state: State) -> None:
    assert may_move(state, S.PUBLISHED) == (state is S.SENDING)


def test_what_is_published_can_only_be_corrected_or_sent_again_where_the_master_lost_it() -> None:
    assert MOVES[S.PUBLISHED] == {S.CORRECTED, S.QUEUED}
    assert MOVES[S.CORRECTED] == {S.QUEUED}


def test_what_is_on_its_way_can_be_neither_withdrawn_nor_stepped_over() -> None:
    assert MOVES[S.SENDING] == {S.PUBLISHED, S.QUEUED, S.REJECTED, S.CONFLICT}


@pytest.mark.parametrize("state", [S.QUEUED, S.REJECTED, S.CONFLICT])
def test_what_the_master_does_not_have_can_be_withdrawn_and_stepped_over(state: State) -> None:
    assert may_move(state, S.WITHDRAWN)
    assert may_move(state, S.SUPERSEDED)


@pytest.mark.parametrize("state", sorted(NEEDS_A_PERSON))
def test_what_waits_for_a_person_can_be_sent_again_by_one(state: State) -> None:
    assert may_move(state, S.QUEUED)


def test_only_an_undo_leads_back_when_a_version_is_gone() -> None:
    assert MOVES[S.SUPERSEDED] == set()
    assert MOVES[S.WITHDRAWN] == {S.QUEUED, S.REJECTED, S.CONFLICT}


def test_no_state_is_in_two_of_the_groups_that_people_count() -> None:
    groups = [WAITING, NEEDS_A_PERSON, GONE, {S.PUBLISHED, S.CORRECTED}]
    assert sum(map(len, groups)) == len(State)
    assert set().union(*groups) == set(State)
