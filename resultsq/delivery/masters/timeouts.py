"""How long a call to the master may take as a whole, name resolution included."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallTimeouts:
    """In seconds. A sheet gets `send_s` and the time that its bytes take over a line as thin as
    `slowest_bytes_per_s`, so that a big one gets through as well."""

    probe_s: float = 5.0
    receipt_s: float = 5.0
    page_s: float = 20.0
    send_s: float = 20.0
    slowest_bytes_per_s: float = 4000.0

    def for_sheet_s(self, size: int) -> float:
        """The limit for a sheet of `size` bytes as they travel."""
        return self.send_s + size / self.slowest_bytes_per_s
