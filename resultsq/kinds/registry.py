"""Every kind of thing that may be queued. A new one is a module and a line here."""

from resultsq.domain.ports import Kind
from resultsq.kinds.results.kind import ResultsKind

KINDS: dict[str, Kind] = {"results": ResultsKind()}
