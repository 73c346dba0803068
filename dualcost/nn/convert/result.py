"""A conversion that was carried out: what each new kernel started from, and the file written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import hypot
from pathlib import Path

from dualcost.costs.profile import NEVER_RUN, Profile
from dualcost.nn.layers.start import FRESH, Start


@dataclass(frozen=True)
class Artefact:
    """A model in a file, as it was read back from there.

    Attributes:
        path: the file.
        nbytes: its size.
        macs: multiply-accumulates found in it; None if values decide what runs.
        params: elements of the parameters found in it.
    """

    path: Path
    nbytes: int
    macs: int | None
    params: int


@dataclass(frozen=True)
class Conversion:
    """A converted network: its profile, how it started, and the file that holds it.

    Attributes:
        profile: what was promised.
        artefact: what was written.
        init: FRESH or COPY, as asked.
        seed: of all random weights.
        weights: the file that the model's weights came from; "" if they are random.
        starts: one for each new layer that has weights of its own.
    """

    profile: Profile
    artefact: Artefact
    init: str = FRESH
    seed: int = 0
    weights: str = ""
    starts: tuple[Start, ...] = field(default=())

    @cached_property
    def copied(self) -> tuple[Start, ...]:
        """Those that started from an old kernel."""
        return tuple(start for start in self.starts if not start.why_fresh)

    @cached_property
    def fresh(self) -> tuple[Start, ...]:
        """Those that have new weights."""
        return tuple(start for start in self.starts if start.why_fresh)

    @property
    def distance(self) -> float | None:
        """Of all copied kernels together, relative to the old ones; None if none was copied."""
        norm = hypot(*(start.norm for start in self.copied))
        return hypot(*(start.distance for start in self.copied)) / norm if norm else None

    @property
    def farthest(self) -> Start | None:
        """The copied layer that is farthest from its old kernel, relative to that."""
        return max(self.copied, key=lambda start: start.relative, default=None)

    @property
    def left_out(self) -> int:
        """Parameters that never run and that the file has no place for."""
        return self.profile.after.params - self.artefact.params


def never_run(profile: Profile) -> int:
    """Parameters of the rewritten network that nothing reads."""
    return sum(row.after.params for row in profile.rows if row.group == NEVER_RUN)
