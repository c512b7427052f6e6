"""Faults that are planted in the product, one at a time: a simulation that finds none of them proves nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection

from resultsq.delivery.masters import answers, http
from resultsq.delivery.masters.answers import Answer
from resultsq.domain.outcome import Accepted, Deferred, Outcome, Receipt
from resultsq.domain.ports import Parcel
from resultsq.store.engine.session import Database

T = TypeVar("T")
Plant = Callable[[], AbstractContextManager[Any]]


def any_200_is_a_receipt() -> AbstractContextManager[Any]:
    real = answers.of_put

    def of_put(answer: Answer, parcel: Parcel, now: datetime) -> Outcome:
        said = real(answer, parcel, now)
        if answer.status in (200, 201) and isinstance(said, Deferred):
            made = Receipt(submission=parcel.submission, revision=1, digest=parcel.digest, received_at=now)
            return Accepted(made.model_copy(update={"event": parcel.event, "date": parcel.date}))
        return said

    return patch.object(answers, "of_put", of_put)


def a_repeat_has_an_id_of_its_own() -> AbstractContextManager[Any]:
    real = http.put_headers

    def put_headers(parcel: Parcel) -> dict[str, str]:
        id_ = str(uuid5(NAMESPACE_URL, parcel.submission)) if parcel.in_doubt else parcel.submission
        return real(replace(parcel, submission=id_))

    return patch.object(http, "put_headers", put_headers)


class _Undone(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


def a_commit_that_failed_is_not_noticed() -> AbstractContextManager[Any]:
    """Of each eleven writes one is undone."""
    real, writes = Database._write_sqlite, [0]

    def write(self: Database, work: Callable[[Connection], T]) -> T:
        writes[0] += 1

        def undone(conn: Connection) -> T:
            raise _Undone(work(conn))

        try:
            return real(self, undone if writes[0] % 11 == 0 else work)
        except _Undone as end:
            return end.value  # type: ignore[return-value]  # it is what `work` returned

    return patch.object(Database, "_write_sqlite", write)


PLANTED: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        any_200_is_a_receipt,
        a_repeat_has_an_id_of_its_own,
        a_commit_that_failed_is_not_noticed,
    )
}
