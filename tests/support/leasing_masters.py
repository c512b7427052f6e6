"""Masters that lease athlete numbers, and do it wrong."""

from typing import Any

from tests.support.masters import Ledger


class LeasesNumbers(Ledger):
    leases_numbers = True


class ForgetsKeys(LeasesNumbers):
    def lease(self, node: str, key: str, size: int) -> dict[str, Any]:
        return super().lease(node, f"{key}{len(self.blocks)}", size)


class LeasesTwice(LeasesNumbers):
    def lease(self, node: str, key: str, size: int) -> dict[str, Any]:
        return {**super().lease(node, key, size), "first": 5001, "last": 5000 + size}


class TakesNodesForOne(LeasesNumbers):
    def lease(self, node: str, key: str, size: int) -> dict[str, Any]:
        return super().lease("", key, size)
