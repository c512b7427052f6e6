"""Run by the interpreter at its start: this process knows the toy kind, and so does a master in it."""

import resultsq.kinds.registry
import resultsq.master.kinds
from tests.support.toy.far import read
from tests.support.toy.kind import KitesKind

resultsq.kinds.registry.KINDS["kites"] = KitesKind()
resultsq.master.kinds.KINDS["kites"] = read
