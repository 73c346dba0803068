"""Which form of a layer is cheapest: timed here, predicted, counted, or asked of a function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from dualcost.errors import UsageError
from dualcost.latency.estimate import estimate
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.fuse.folding import Run
from dualcost.nn.fuse.timing import least_seconds
from dualcost.nn.here import own_calibration
from dualcost.nn.trace.trace import trace

MEASURED, PREDICTED, MACS, GIVEN = "measured", "predicted", "macs", "given"
NAMED = (MEASURED, PREDICTED, MACS)
# What one run of a form takes, in any unit, from the ops that it runs.
Predictor = Callable[[Network], float]
# A form replaces what is there if it is faster by this share: the noise of two minima, and the
# error of a prediction (docs/explain/predicting.md: its median).
MARGINS = {MEASURED: 0.03, PREDICTED: 0.04}


class Judge:
    """Gives every form of a layer its cost; layers that are alike are judged once."""

    def __init__(self, by: str | Predictor) -> None:
        """Judge by time, by this machine's calibration, by executed MACs, or by a function.

        Raises:
            UsageError: there is no such judge, or the calibration is of another machine.
            UnmeasuredError: this machine has not been calibrated.
        """
        if isinstance(by, str) and by not in NAMED:
            raise UsageError(f"no judge of forms is called {by!r}", f"one of {', '.join(NAMED)}")
        self.name = by if isinstance(by, str) else GIVEN
        self._cost: Predictor = by if callable(by) else lambda network: network.macs
        self._calibration = own_calibration() if by == PREDICTED else None
        self._known: dict[tuple[object, ...], dict[str, float]] = {}

    def costs(
        self, found: Mapping[str, nn.Module], runs: Sequence[Run], dtype: torch.dtype
    ) -> dict[str, float]:
        """What each form takes for all runs of a layer: seconds, if they are measured.

        Args:
            found: the forms by name, first what the layer is.
            runs: what they will read.
            dtype: in which they will run.
        """
        places = [(run.shape, run.channels_last) for run in runs]
        key = (*(f"{name}: {form!r}" for name, form in found.items()), dtype, *places)
        if key not in self._known:
            ready = {name: copy.deepcopy(form).to(dtype) for name, form in found.items()}
            each = [self._of_run(ready, run, dtype) for run in runs]
            self._known[key] = {name: sum(costs[name] for costs in each) for name in found}
        return self._known[key]

    def _of_run(
        self, ready: Mapping[str, nn.Module], run: Run, dtype: torch.dtype
    ) -> dict[str, float]:
        if self.name == MEASURED:
            device = next(next(iter(ready.values())).parameters()).device
            image = image_of(run, dtype, device)
            return least_seconds({name: partial(ready[name], image) for name in ready}, device)
        spec = TensorSpec(run.shape, str(dtype).removeprefix("torch."))
        networks = {name: trace(form, [spec]) for name, form in ready.items()}
        if (known := self._calibration) is not None:
            return {
                name: estimate(network, known, run.channels_last).total.seconds
                for name, network in networks.items()
            }
        return {name: float(self._cost(network)) for name, network in networks.items()}

    def cheapest(self, costs: Mapping[str, float]) -> str:
        """The cheapest form; what the layer is, if none is cheaper by more than noise."""
        first = next(iter(costs))
        best = min(costs, key=costs.__getitem__)
        margin = MARGINS.get(self.name, 0)
        return best if costs[best] < costs[first] * (1 - margin) else first


def image_of(run: Run, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Random numbers as a layer read them in one run: of the shape and in the memory format."""
    image = torch.randn(run.shape, dtype=dtype, device=device)
    return image.to(memory_format=torch.channels_last) if run.channels_last else image
