"""Cells of the CSV files that people open in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(cell: object) -> object:
    """The cell as text that no spreadsheet takes for a formula: an apostrophe in front says "text"."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell
