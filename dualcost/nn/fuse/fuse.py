"""A model → a copy for inference: batch norms folded, each layer in its cheapest exact form.

What is returned was run beside the original, in double precision and on random inputs, layer by
layer and as a whole: the results agree within `equality.TOLERANCE`, or nothing is returned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dualcost.errors import ModelError
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.convert.convert import swapped
from dualcost.nn.fuse.equality import TOLERANCE, difference
from dualcost.nn.fuse.folding import (
    Observed,
    Run,
    norms_behind,
    observe,
    read_elsewhere,
    replaceable,
)
from dualcost.nn.fuse.judge import MEASURED, Judge, Predictor, image_of
from dualcost.nn.layers.forms import PARTS, forms, with_norm
from dualcost.nn.layers.recipe import RecipeConv2d
from dualcost.nn.trace.inputs import Example, make_inputs
from dualcost.nn.trace.trace import SEED, trace


@dataclass(frozen=True)
class ChosenForm:
    """What became of one layer.

    Attributes:
        path: the layer's.
        module: its type.
        norm: the batch norm that was folded into it; "" if none.
        form: one of the names in `nn/layers/forms`, "parts" if it stays what it is.
        costs: what each form takes, by the judge; {} if there was nothing to choose.
        ideal_macs: multiply-accumulates of its recipe, in all of its runs.
        executed_macs: those of the form that was chosen.
        params_before: elements of its parameters and of the norm's.
        params_after: elements of the parameters of the form.
    """

    path: str
    module: str
    norm: str
    form: str
    costs: dict[str, float]
    ideal_macs: int
    executed_macs: int
    params_before: int
    params_after: int

    @property
    def gain(self) -> float | None:
        """The cost of what was chosen, as a share of the layer's before; None without a choice."""
        was = next(iter(self.costs.values()), 0.0)
        return self.costs[self.form] / was if was else None


@dataclass(frozen=True)
class Fusion:
    """A fused model, and what was done for it.

    Attributes:
        model: the copy, in eval mode and without gradients, of the original's dtypes.
        by: who judged: "measured", "macs", or "predicted".
        before: what the original runs.
        after: what the copy runs.
        choices: the layers that have forms, and those that took a norm, in the order they ran.
        difference: the largest one found between the results, as a share of the largest number.
    """

    model: nn.Module
    by: str
    before: Network
    after: Network
    choices: tuple[ChosenForm, ...]
    difference: float


def fuse(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    *,
    by: str | Predictor = MEASURED,
    listed: bool = False,
) -> Fusion:
    """Copy a model for inference, with batch norms folded and layers in their cheapest exact form.

    A `DualConv2d` and the other modules of `dualcost.nn` have more than one form; other layers
    only take the batch norm behind them. What a hook watches stays as it is.

    Args:
        model: the model, with weights, on any device; it is left as it was.
        inputs: what it will be run on: forms are compared at these sizes.
        by: what is cheap: "measured" times the forms of each layer here and now, in the dtype and
            memory format that they run in; "predicted" asks this machine's calibration; "macs"
            counts what they execute; a function gives a number for the ops of a form.
        listed: the model takes a list of unbatched images (detectors do).

    Raises:
        ModelError: the model does not run, has no weights, cannot be run in double precision, or
            its fused copy would not do the same.
        UsageError: there is no such judge, or the calibration is of another machine.
        UnmeasuredError: it is asked to predict, and this machine has not been calibrated.
    """
    judge = Judge(by)
    before = trace(model, inputs, listed=listed)
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ModelError(
            f"{before.name} has no weights", "fuse a model that was built or loaded with them"
        )
    return _Fusing(model, before, judge, listed).done()


class _Fusing:
    """The change of one copy, which has double precision until the end."""

    def __init__(self, model: nn.Module, before: Network, judge: Judge, listed: bool) -> None:
        self.before = before
        self.judge = judge
        self.listed = listed
        # the floating-point dtype of each module, given back at the end
        self.dtypes = {path: _dtype(module) for path, module in model.named_modules()}
        self.channels_last = _channels_last(model)
        self.model = _for_inference(copy.deepcopy(model).double())
        self.modules = dict(self.model.named_modules())

    def done(self) -> Fusion:
        """The fused copy, proved equal."""
        example = self._example()
        seen = self._observe(example, replaceable(self.model))
        norms = norms_behind(self.model, seen)
        chosen = [
            self._choose(path, norms.get(path, ""), seen) for path in self._sites(seen, norms)
        ]
        # in the place of a norm nothing stands, which passes on what the convolution makes
        makers = [choice.norm or choice.path for choice in chosen]
        again = self._observe(example, makers)
        largest = self._compare(seen, again, makers)
        self._give_back_dtypes()
        _for_inference(self.model)
        return Fusion(
            model=self.model,
            by=self.judge.name,
            before=self.before,
            after=trace(self.model, self.before.inputs, self.before.name, listed=self.listed),
            choices=tuple(replace(one, executed_macs=_macs(again, one.path)) for one in chosen),
            difference=largest,
        )

    def _example(self) -> Example:
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        specs = [
            replace(spec, dtype="float64") if "float" in spec.dtype else spec
            for spec in self.before.inputs
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return make_inputs(specs, device, self.listed)

    def _observe(self, example: Example, watched: Sequence[str]) -> Observed:
        """Run the model, always with the same random numbers.

        Raises:
            ModelError: it raises.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            try:
                return observe(self.model, example, watched)
            except Exception as error:
                first, *_ = str(error).splitlines() or [""]
                raise ModelError(
                    f"{self.before.name} cannot be fused: in double precision it raises "
                    f"{type(error).__name__}: {first}",
                    "its forward must neither fix a dtype nor read what belongs to its layers",
                ) from error

    def _sites(self, seen: Observed, norms: Mapping[str, str]) -> list[str]:
        """The layers that take a norm, and those with forms, in the order in which they ran."""
        kept = read_elsewhere(self.model, seen.ops)
        return [
            path
            for path in dict.fromkeys(run.path for run in seen.runs)
            if path in norms or (isinstance(self.modules[path], RecipeConv2d) and path not in kept)
        ]

    def _choose(self, path: str, norm_path: str, seen: Observed) -> ChosenForm:
        """Put the cheapest form of a layer, with its norm, into the layer's place."""
        old, runs = self.modules[path], seen.of(path)
        norm: Any = self.modules[norm_path] if norm_path else nn.Identity()
        whole = with_norm(old, norm) if norm_path else old
        found, costs, form = {PARTS: whole}, dict[str, float](), PARTS
        if isinstance(whole, RecipeConv2d):
            found = forms(whole)
            if self.channels_last:
                found = {n: one.to(memory_format=torch.channels_last) for n, one in found.items()}
            costs = self.judge.costs(found, runs, self.dtypes[path])
            form = self.judge.cheapest(costs)
        new = found[form]
        for run in runs:
            self._prove(path, lambda image: norm(old(image)), new, run)
        self.model = swapped(self.model, old, new)
        if norm_path:
            self.model = swapped(self.model, norm, nn.Identity())
        return ChosenForm(
            path=path,
            module=type(old).__name__,
            norm=norm_path,
            form=form,
            costs=costs,
            ideal_macs=_macs(seen, path),
            executed_macs=0,  # counted when all is in place
            params_before=_numel(old) + _numel(norm),
            params_after=_numel(new),
        )

    def _prove(self, path: str, old: Callable[[Tensor], Tensor], new: nn.Module, run: Run) -> None:
        """Compare a layer by itself with its form: all of their results on random numbers."""
        image = image_of(run, torch.float64, next(new.parameters()).device)
        with torch.no_grad():
            self._check(path, old(image), new(image))

    def _compare(self, seen: Observed, again: Observed, paths: Sequence[str]) -> float:
        """The largest difference of two runs of the model: what it returns, and each layer."""
        differences = [self._check("", seen.result, again.result)]
        for path in paths:
            samples = ([run.sample for run in one.of(path)] for one in (seen, again))
            differences.append(self._check(path, *samples))
        return max(differences)

    def _check(self, path: str, old: Any, new: Any) -> float:
        """The difference of two results.

        Raises:
            ModelError: it is larger than TOLERANCE.
        """
        found = difference(old, new)
        if found <= TOLERANCE:
            return found
        raise ModelError(
            f"{self.before.name} cannot be fused: the results of {path or 'the whole network'} "
            f"would differ by {found:.1e} of their largest number (allowed: {TOLERANCE:.0e})",
            "look for numbers that are not finite, and for a state that a forward changes",
        )

    def _give_back_dtypes(self) -> None:
        for path, module in self.model.named_modules():
            while path not in self.dtypes:  # inside a form of several modules
                path = path.rpartition(".")[0]
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                if tensor.is_floating_point():
                    tensor.data = tensor.data.to(self.dtypes[path])


def _for_inference(model: nn.Module) -> nn.Module:
    """The model in eval mode and without gradients."""
    for module in model.modules():
        module.training = False  # not .eval(), which models override to do other things
    return model.requires_grad_(False)


def _channels_last(model: nn.Module) -> bool:
    """Weights lie in memory with their channels last; those of 1×1 and depthwise do not tell."""
    return any(
        weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
        for weight in model.parameters()
        if weight.dim() == 4
    )


def _macs(seen: Observed, path: str) -> int:
    inside = f"{path}." if path else ""
    return sum(op.macs for op in seen.ops if f"{op.path}.".startswith(inside))


def _numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _dtype(module: nn.Module) -> torch.dtype:
    tensors = (*module.parameters(), *module.buffers())
    floats = (tensor.dtype for tensor in tensors if tensor.is_floating_point())
    return next(floats, torch.get_default_dtype())
