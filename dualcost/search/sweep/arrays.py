"""One network at arrays of G and P: a million points at once, as numpy arrays of integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualcost.kinds.kinds import DUAL, kind
from dualcost.network.cost import CONVENTIONS, Convention
from dualcost.network.network import Network, TensorSpec
from dualcost.search.sweep.curve import Costing, Curve, as_it_is
from dualcost.search.sweep.rows import DOUBLING, Costed, Replacing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Sweep(Costed):
    """One network at many points, one array entry each.

    The costs are masked arrays of integers: masked where the rewrite cannot be carried out, which
    `reason` explains.

    Attributes:
        network: its name.
        inputs: what it was traced with.
        before: the network as it is.
        kind: the name of the kind at each point.
        divisor: its G or P; 1 for a kind without.
        replaced: how many sites were replaced.
        costs: what networks are COMPARED by and is exact, by the keys of the metrics; each is an
            attribute too: `macs`, `params`, `traffic`, `weight_bytes`, `peak_bytes`.
    """

    network: str
    inputs: tuple[TensorSpec, ...]
    before: Costing
    kind: np.ndarray[Any, Any]
    divisor: np.ndarray[Any, Any]
    replaced: np.ma.MaskedArray[Any, Any]
    costs: Mapping[str, np.ma.MaskedArray[Any, Any]]
    _curves: Mapping[str, Curve]

    def __len__(self) -> int:
        return len(self.divisor)

    def reason(self, index: int) -> str:
        """Why the rewrite cannot be carried out at one point; "" where it can."""
        return self._curves[str(self.kind[index])].at(int(self.divisor[index])).reason


def sweep(
    network: Network,
    kinds: Sequence[str] = (DUAL.name,),
    G: Any = DOUBLING,
    P: Any = None,
    way: Replacing | None = None,
    convention: Convention = CONVENTIONS["torch"],
) -> Sweep:
    """One network at every G (P of het; None takes G) of every kind, one kind after the other.

    Raises:
        UsageError: a word does not fit, or a G or P is not a positive integer.
    """
    import numpy as np

    arrays = {"G": np.atleast_1d(G), "P": np.atleast_1d(G if P is None else P), "": np.ones(1, int)}
    way = way or Replacing()
    curves = {name: Curve(network, way.request(name), convention) for name in kinds}
    divisors = {name: arrays[kind(name).letter].ravel() for name in kinds}
    found = [curves[name].over(divisors[name]) for name in curves]
    return Sweep(
        network=network.name,
        inputs=network.inputs,
        before=as_it_is(network, convention),
        kind=np.repeat(list(curves), [divisors[name].size for name in curves]),
        divisor=np.concatenate([divisors[name] for name in curves]),
        replaced=_joined([replaced for replaced, _ in found]),
        costs={key: _joined([costs[key] for _, costs in found]) for key in found[0][1]},
        _curves=curves,
    )


def _joined(arrays: Sequence[np.ma.MaskedArray[Any, Any]]) -> np.ma.MaskedArray[Any, Any]:
    """One after the other, with a mask that has an entry for each point."""
    import numpy as np

    return np.ma.MaskedArray(
        np.concatenate([array.data for array in arrays]),
        np.concatenate([np.ma.getmaskarray(array) for array in arrays]),
        fill_value=-1,
    )
