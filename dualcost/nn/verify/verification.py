"""Each count of a model beside those of its witnesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dualcost.costs.profile import Profile
from dualcost.network.network import Network

if TYPE_CHECKING:  # importing it wakes torch
    from dualcost.nn.verify.crosscheck import Check
    from dualcost.nn.verify.witnesses import Witness


@dataclass(frozen=True)
class Verification:
    """A profile, the network that explains it, and what the witnesses said."""

    profile: Profile
    network: Network
    checks: tuple[Check, ...]
    witnesses: tuple[Witness, ...]

    @property
    def passed(self) -> bool:
        """Nothing unexplained remains, and at least one counter could count."""
        counted = any(not witness.failure for witness in self.witnesses)
        return counted and all(check.verdict != "unexplained" for check in self.checks)

    @property
    def failures(self) -> dict[str, str]:
        """The counters that could not count, and why."""
        return {witness.name: witness.failure for witness in self.witnesses if witness.failure}
