"""Changes to the code that no test can notice, and why: nobody could see them, or they only cost time."""

from pathlib import Path

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]

_RESULTS = "resultsq.kinds.results"

REASONS: dict[tuple[str, str, str], str] = {
    (f"{_RESULTS}.merge", "seen[time] += 1", "1 → 2"): (
        "equal times only have to stay apart, and the same way in both watches"
    ),
    (
        f"{_RESULTS}.corrections_times",
        "board.renumber({token: token + 1 for token in range(self.position, board.highest() + 1)})",
        "1 → 2, number 2 there",
    ): "it only ends the range: no scan has a token above the highest",
    (
        f"{_RESULTS}.corrections_scans",
        "board.renumber({token: token + self.count for token in range(self.first, highest + 1)})",
        "1 → 2",
    ): "it only ends the range: no scan has a token above the highest",
    (
        f"{_RESULTS}.corrections_files",
        "board.scans += sorted([*kept, *new], key=lambda one: one.line or 0)",
        "0 → 1",
    ): "each scan of a file has a line, and the first one is 1",
    (f"{_RESULTS}.join_state", "apart: bool = False", "False → True"): "each pair that is compared says it",
    (
        f"{_RESULTS}.quick",
        "class _Finisher(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):",
        "False → True",
    ): "the collector of garbage would look at each finisher, which only costs time",
    (
        f"{_RESULTS}.quick",
        "class _Finisher(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):",
        "True → False",
    ): "nobody writes a finisher's fields",
    (f"{_RESULTS}.plausible", "@dataclass(frozen=True, slots=True)", "True → False"): "nobody writes its fields",
    (f"{_RESULTS}.plausible", "@dataclass(frozen=True, slots=True)", "True → False, number 2 there"): (
        "its fields may lie in a dictionary: it only takes more memory"
    ),
}
"""By `key_of` a change."""


def reason_of(mutant: Mutant) -> str | None:
    """Why it survives; None: a test is missing."""
    return REASONS.get(key_of(mutant))


def key_of(mutant: Mutant) -> tuple[str, str, str]:
    """Its module, its line and its change, which stay when lines above come and go."""
    like_it = [
        one.number
        for one in mutants(mutant.module, path_of(mutant.module).read_text())
        if (one.line, one.was, one.now) == (mutant.line, mutant.was, mutant.now)
    ]
    place = like_it.index(mutant.number)
    return mutant.module, line_of(mutant), f"{mutant.was} → {mutant.now}{f', number {place + 1} there' * (place > 0)}"


def line_of(mutant: Mutant) -> str:
    return path_of(mutant.module).read_text().splitlines()[mutant.line - 1].strip()


def path_of(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
