"""Changes to the code that no test can notice, and why: nobody could see them, or they only cost time."""

from pathlib import Path

from tests.mutation.mutants import Mutant

ROOT = Path(__file__).parents[2]

REASONS: dict[tuple[str, str, str], str] = {}
"""Of a module, the line as it stands there, and the change."""


def reason_of(mutant: Mutant) -> str | None:
    """Why it survives; None: a test is missing."""
    return REASONS.get((mutant.module, line_of(mutant), f"{mutant.was} → {mutant.now}"))


def line_of(mutant: Mutant) -> str:
    return path_of(mutant.module).read_text().splitlines()[mutant.line - 1].strip()


def path_of(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
