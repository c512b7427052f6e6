"""What comes along with the product: under which licences, and pinned.

Known vulnerabilities are not looked for here: where this runs nobody can be asked, and a check that is always
green is worse than none. resultsq/DECISIONS.md has the command for a machine that can ask."""

import re
from importlib.metadata import Distribution

from tests.integration.deploy.closure import runtime
from tests.support.processes import ROOT

LICENCES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "LGPL-3.0-only", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
    "ZPL-2.1",
}  # fmt: skip
"""All may be used and passed on with the product as it is; the two that ask for more (LGPL, MPL) ask it of whoever
changes the library itself."""

WORDS = {
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ZPL 2.1": "ZPL-2.1",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "Zope Public License": "ZPL-2.1",
}
READ_BY_HAND = {"pysqlite3"}
"""Says nothing in its metadata: zlib's licence, as its repository has it."""


def _licences(one: Distribution) -> set[str]:
    """What a distribution says of itself, in SPDX' names: an expression, classifiers, or a word of its own."""
    says = one.metadata
    if expressions := says.get_all("License-Expression"):
        return set(re.split(r" (?:OR|AND) ", expressions[0]))
    classified = [line.rpartition(" :: ")[2] for line in says.get_all("Classifier") or [] if line.startswith("License")]
    told = classified or says.get_all("License") or [""]
    return {WORDS.get(word, word) for word in told}


def test_every_licence_is_one_that_was_thought_about_when_dependencies_change() -> None:
    found = {name: _licences(one) for name, one in runtime().items()}
    assert len(found) > 30
    others = {name: licences - LICENCES for name, licences in found.items() if not licences <= LICENCES}
    assert set(others) == READ_BY_HAND, others


def test_every_dependency_is_pinned_when_an_image_is_built() -> None:
    lines = (ROOT / "config" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert {name: one.version for name, one in runtime().items()}.items() <= pinned.items()
