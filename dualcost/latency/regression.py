"""A family's times as one function of its sizes, fitted to measured ones.

A time is a sum of non-negative terms (a call, multiply-accumulates, bytes), times what remains of
the measured ones near by: a Gaussian process over the logarithm of time ÷ sum. Where nothing was
measured near by, the sum stands alone.

Sources: Lawson and Hanson's NNLS (scipy.optimize.nnls); Rasmussen and Williams, Gaussian Processes
for Machine Learning, equations 2.23 (mean) and 5.12 (leave-one-out).

What differs from op to op beyond what a time repeats to, such as a kernel that meets itself in a
cache at one width alone, is no noise: it is there the next time, but tells nothing of other ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, isfinite, sqrt
from typing import Any

from dualcost.latency.workload import Workload

TERMS = ("call", "macs", "blocked", "read", "written", "weights", "windows")
REPEATED = 0.015  # how well the times that are fitted repeat, relatively
NOISES = (0.03, 0.06, 0.12)  # how far an op may be from what is like it: that, and its own part
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)  # how far a measured op may tell of others, in powers of two
LEAST_AMPLITUDE = 0.05  # of what remains beside the sum
WORST = 0.5  # an error beyond that counts as this: one odd op does not choose the lengths
SAME = 1e-3  # lengths; written places are rounded
SWEEPS = 2
LEAST_SPREAD = 0.03  # a few ops that agree by chance are no proof


def terms(work: Workload) -> tuple[float, ...]:
    """The sizes that a sum's coefficients belong to, in the order of TERMS."""
    sizes = (work.macs, work.blocked, work.read, work.written, work.weights, work.windows)
    return (1.0, *map(float, sizes))


@dataclass(frozen=True)
class Curve:
    """Seconds of a family's ops.

    Attributes:
        coefficients: seconds per unit of each of TERMS.
        places: where the measured ops lie (`Workload.place`).
        pulls: how much each pulls the logarithm of the time of ops near it.
        lengths: how far, in each direction of a place.
        own: how much more it pulls at its own place, as a share of that.
        spread: root mean square of the logarithmic errors of each op left out once.
        median_error: median of the same errors.
    """

    coefficients: tuple[float, ...]
    places: tuple[tuple[float, ...], ...]
    pulls: tuple[float, ...]
    lengths: tuple[float, ...]
    own: float
    spread: float
    median_error: float

    def __post_init__(self) -> None:
        """Check that its parts fit together.

        Raises:
            ValueError: they do not.
        """
        numbers = (*self.coefficients, *self.pulls, *self.lengths, self.own, self.spread)
        sizes = {len(place) for place in self.places} | {len(self.lengths)}
        if len(self.coefficients) != len(TERMS) or len(sizes) != 1:
            raise ValueError("a curve's parts are of different sizes")
        if len(self.places) != len(self.pulls) or not self.places:
            raise ValueError(f"{len(self.places)} places and {len(self.pulls)} pulls")
        if not all(isfinite(number) for number in numbers) or min(self.lengths) <= 0:
            raise ValueError("a curve has a number that is none")
        if min(self.coefficients) < 0 or not any(self.coefficients):
            raise ValueError("a curve has negative terms, or none")

    def seconds(self, work: Workload) -> float:
        """The time of one op.

        Raises:
            ValueError: its place has other directions than the curve's.
        """
        import numpy as np

        total = sum(c * t for c, t in zip(self.coefficients, terms(work), strict=True))
        places, pulls, lengths = self._points
        distances = np.sqrt(((places - np.asarray(work.place) / lengths) ** 2).sum(axis=1))
        alike = _kernel(distances) + self.own * (distances < SAME)
        return total * exp(float(alike @ pulls))

    @cached_property
    def _points(self) -> tuple[Any, Any, Any]:
        import numpy as np

        lengths = np.asarray(self.lengths)
        return np.asarray(self.places) / lengths, np.asarray(self.pulls), lengths


def _kernel(distance: Any) -> Any:
    """Matérn 3/2: how alike two ops are at a distance."""
    import numpy as np

    scaled = sqrt(3) * distance
    return (1 + scaled) * np.exp(-scaled)


def fitted(works: Sequence[Workload], seconds: Sequence[float]) -> Curve:
    """Fit a family's curve to measured ops."""
    import numpy as np

    times = np.asarray(seconds)
    coefficients = _sum(works, times)
    rest = np.log(times / (np.asarray([terms(work) for work in works]) @ coefficients))
    places = np.asarray([work.place for work in works])
    lengths, noise = _lengths(places, rest)
    errors, pulls = _left_out(places, rest, lengths, noise)
    own = (noise**2 - REPEATED**2) / _amplitude(rest) ** 2
    return Curve(
        coefficients=tuple(map(float, coefficients)),
        places=tuple(tuple(map(float, place)) for place in places),
        pulls=tuple(map(float, pulls)),
        lengths=tuple(map(float, lengths)),
        own=own,
        spread=max(LEAST_SPREAD, float(np.sqrt(np.mean(errors**2)))),
        median_error=float(np.median(np.abs(errors))),
    )


def _sum(works: Sequence[Workload], times: Any) -> Any:
    """Non-negative coefficients of least relative error; none of the sums is zero."""
    import numpy as np
    from scipy.optimize import nnls

    matrix = np.asarray([terms(work) for work in works])
    scaled = matrix / times[:, None]
    scale = np.maximum(scaled.max(axis=0), 1e-30)
    found, _ = nnls(scaled / scale, np.ones(len(times)))
    coefficients = found / scale
    if (matrix @ coefficients <= 0).any():
        coefficients[0] = times.min()
    return coefficients


def _left_out(places: Any, rest: Any, lengths: Any, noise: float) -> tuple[Any, Any]:
    """The error of each op if it had been left out, and the pulls of all."""
    import numpy as np

    scaled = places / lengths
    distances = np.sqrt(((scaled[:, None] - scaled[None]) ** 2).sum(axis=2))
    variance = _amplitude(rest) ** 2
    inverse = np.linalg.inv(variance * _kernel(distances) + noise**2 * np.eye(len(rest)))
    weights = inverse @ rest
    return weights / np.diag(inverse), variance * weights


def _amplitude(rest: Any) -> float:
    import numpy as np

    return max(LEAST_AMPLITUDE, float(np.std(rest)))


def _lengths(places: Any, rest: Any) -> tuple[Any, float]:
    """The lengths and the noise of least error of ops left out, one direction after another."""
    import numpy as np

    def score(lengths: Any, noise: float) -> float:
        errors, _ = _left_out(places, rest, lengths, noise)
        return float(np.mean(np.minimum(np.abs(errors), WORST)))

    lengths, noise = np.full(places.shape[1], 2.0), NOISES[0]
    best = score(lengths, noise)
    for _ in range(SWEEPS):
        for tried in NOISES:
            if (found := score(lengths, tried)) < best:
                best, noise = found, tried
        for direction in range(len(lengths)):
            if np.ptp(places[:, direction]) == 0:
                continue
            for length in LENGTHS:
                other = lengths.copy()
                other[direction] = length
                if (found := score(other, noise)) < best:
                    best, lengths = found, other
    return lengths, noise
