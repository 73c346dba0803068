"""A live model × a rewrite → a model whose convolutions are real ones of another kind.

A copy is changed, never the model itself. Untouched layers keep their weights; new ones start like
any new layer. The result is traced, and its totals must be the profile's: else nothing is returned.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from dualcost.costs.profile import profile
from dualcost.errors import ModelError
from dualcost.network.network import CONVOLUTION, FREE, Network, Op, TensorSpec
from dualcost.nn.layers.initial import copy_kernel
from dualcost.nn.layers.kinds import HetConv2d, Layer, check_implementation, layer_of
from dualcost.nn.layers.start import COPY, FRESH, Start, check_init
from dualcost.nn.trace.inputs import Example
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.request import Bias, Request
from dualcost.rewrite.rewrite import Replacement, Rewritten, rewrite

KEEP = "leave it out: --where 'default path!={path}' or --but 'path={path}: keep'"


@dataclass(frozen=True)
class Converted:
    """A converted model, what its new layers started from, and the network that it was."""

    model: nn.Module
    starts: tuple[Start, ...]
    network: Network


def convert(
    model: nn.Module,
    asked: Request,
    inputs: Sequence[TensorSpec],
    *,
    listed: bool = False,
    implementation: str = "grouped",
) -> nn.Module:
    """Replace in a copy of a model what a rewrite replaces; `converted` says more about it."""
    done = converted(model, asked, inputs, listed=listed, implementation=implementation)
    return done.model


def converted(
    model: nn.Module,
    asked: Request,
    inputs: Sequence[TensorSpec],
    *,
    listed: bool = False,
    implementation: str = "grouped",
    example: Example | None = None,
    init: str = FRESH,
) -> Converted:
    """Replace in a copy of a model what a rewrite replaces; the model may be without weights.

    A convolution becomes a module of the kind. Of a block, the first convolution does, and what
    follows it up to the last convolution becomes `nn.Identity`.

    Args:
        model: the model, on any device.
        asked: what is replaced by what.
        inputs: what the model is run on, to see what it does.
        listed: the model takes a list of unbatched images (detectors do).
        implementation: how every `HetConv2d` runs, "grouped" or "branches"; of no other kind.
        example: call it with these arguments, of which `inputs` are the tensors.
        init: "fresh" draws new weights; "copy" takes the ones nearest to the old (`initial`), where
            one convolution is replaced by one.

    Raises:
        ModelError: the model cannot be traced, or what should go cannot be taken out of it.
        IndivisibleError: G or P does not divide some channels, and the policy is to refuse.
        UsageError: the rewrite's rule matches nothing, or there is no such implementation.
    """
    check_implementation(implementation)
    check_init(init)
    network = trace(model, inputs, listed=listed, example=example)
    rewritten = rewrite(network, asked).checked()
    conversion = _Conversion(copy.deepcopy(model), rewritten, implementation, init)
    changed = conversion.done()
    _check(changed, network, asked, listed, example)
    return Converted(changed, tuple(conversion.starts), network)


def _check(
    changed: nn.Module, network: Network, asked: Request, listed: bool, example: Example | None
) -> None:
    """The converted model has the MACs and the parameters that the profile promised.

    Raises:
        ModelError: it does not run, or has others.
    """
    promised = profile(network, asked).after
    try:
        found = trace(changed, network.inputs, network.name, listed=listed, example=example)
    except ModelError as error:
        raise ModelError(
            f"converted, {error.message}",
            "its forward needs something of a module that was replaced; leave that one out",
        ) from error
    # where values decide what runs, new weights make other boxes
    macs = promised.macs if network.notes else found.macs
    if (macs, found.params) != (promised.macs, promised.params):
        raise ModelError(
            f"{network.name} cannot be converted: it would have {macs:,} MACs and {found.params:,} "
            f"parameters instead of {promised.macs:,} and {promised.params:,}",
            "its forward does more with a replaced module than run it; leave that one out",
        )


class _Conversion:
    """The change of one copy."""

    def __init__(
        self, model: nn.Module, rewritten: Rewritten, implementation: str, init: str
    ) -> None:
        self.model = model
        self.init = init
        self.starts: list[Start] = []
        self.implementation = implementation
        self.request = rewritten.request
        self.replacements = rewritten.replacements
        self.ops = rewritten.network.ops
        self.gone = frozenset(index for one in self.replacements for index in one.ops)
        self._modules = dict(model.named_modules())
        # layers that share their weights share them afterwards
        self._built: dict[tuple[str, ...], nn.Module] = {}
        self._done: set[str] = set()

    def done(self) -> nn.Module:
        """The changed copy."""
        for replacement in self.replacements:
            layer = self._layer(replacement)
            places = self._places(replacement)
            self._swap(places[0], layer)
            for path in places[1:]:
                self._swap(path, nn.Identity())
        return self.model

    def _places(self, replacement: Replacement) -> list[str]:
        """The modules that go, the one that holds the first convolution before the others."""
        paths = dict.fromkeys(self.ops[index].path for index in replacement.ops)
        for path in paths:
            self._must_go(path, replacement)
        inner = {path for path in paths for other in paths if _holds(other, path) and path != other}
        first = self.ops[replacement.ops[0]].path
        places = [path for path in paths if path not in inner]
        return sorted(places, key=lambda path: not _holds(path, first))

    def _must_go(self, path: str, replacement: Replacement) -> None:
        """Everything that runs in this module is replaced.

        Raises:
            ModelError: something else does too, and would go with it.
        """
        stay = [
            op
            for index, op in enumerate(self.ops)
            if _holds(path, op.path)
            and index not in self.gone
            # a convolution that pads by itself runs more than one op
            and not (op.group == FREE and _is_plain(self._modules[path]))
        ]
        if not stay:
            return
        shown = replacement.path or "the whole network"
        if not replacement.block:
            why = f"{path or 'the network itself'} also runs {_names(stay)}"
        else:
            why = f"the forward of {path or 'the network itself'} computes between the modules"
        raise ModelError(
            f"{shown} cannot be converted: {why}, so no module can be replaced",
            KEEP.format(path=replacement.path),
        )

    def _layer(self, replacement: Replacement) -> nn.Module:
        """The new convolution, with the sizes that the old module has."""
        old = self._convolution(replacement)
        first = self._modules[self.ops[replacement.ops[0]].path]
        like = next(first.parameters())
        site, divisor = replacement.site, replacement.divisor
        words: dict[str, Any] = {
            "stride": old.stride,
            "padding": old.padding,
            "dilation": old.dilation,
            "padding_mode": old.padding_mode,
            "bias": site.bias and self.request.bias is Bias.KEEP,
            "device": like.device,
            "dtype": like.dtype,
        }
        kind = replacement.kind
        words |= {kind.letter: divisor} if kind.letter else {}
        layer = layer_of(kind)(site.M, site.N, old.kernel_size, **words)
        if isinstance(layer, HetConv2d):
            layer.implementation = self.implementation
        weights = tuple(name for index in replacement.ops for name in self.ops[index].parameters)
        if weights not in self._built:
            self._built[weights] = layer
            self.starts.append(self._started(layer, old, replacement))
        twin = self._built[weights]
        for name, parameter in twin.named_parameters():
            setattr(layer, name, parameter)
        return layer.train(first.training)

    def _started(self, layer: Layer, old: nn.Conv2d, replacement: Replacement) -> Start:
        """Give a new layer its first weights: it is drawn at random already."""
        if self.init != COPY:
            return Start(replacement.path, "as asked")
        if replacement.block:
            return Start(replacement.path, f"{_a(replacement.block)} block has no one kernel")
        return copy_kernel(layer, old, replacement.path)

    def _convolution(self, replacement: Replacement) -> nn.Conv2d:
        """The module that says how the new one strides and pads: of a block, the depthwise one.

        Raises:
            ModelError: the convolution is not what an `nn.Conv2d` of two dimensions runs.
        """
        convolutions = [self.ops[index] for index in replacement.ops if self.ops[index].site]
        if replacement.block:
            convolutions = [op for op in convolutions if op.site and op.site.depthwise]
        op = convolutions[0]
        module = self._modules.get(op.path)
        if isinstance(module, nn.Conv2d) and _is_plain(module):
            return module
        raise ModelError(
            f"{op.path or 'the network itself'} cannot be converted: {_not_plain(op, module)}",
            KEEP.format(path=op.path),
        )

    def _swap(self, path: str, new: nn.Module) -> None:
        """Put a module into every place that the one at this path has."""
        if path in self._done:  # it runs twice
            return
        self._done.add(path)
        old = self._modules[path]
        self.model = swapped(self.model, old, new)


def swapped(model: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """The model with one of its modules (or itself) replaced, in every place that it has."""
    for parent in [*model.modules()]:
        for name, child in [*parent._modules.items()]:
            if child is old:
                parent._modules[name] = new
    return new if model is old else model


def _holds(path: str, inner: str) -> bool:
    return not path or inner == path or inner.startswith(path + ".")


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _is_plain(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and type(module).forward is nn.Conv2d.forward


def _names(ops: Sequence[Op]) -> str:
    names = list(dict.fromkeys(op.name for op in ops))
    return ", ".join(names[:3]) + (", …" if names[3:] else "")


def _not_plain(op: Op, module: nn.Module | None) -> str:
    assert op.site is not None and op.group == CONVOLUTION
    dims = len(op.site.kernel)
    if op.site.transposed:
        return "it is a transposed convolution, and no kind has a module for that"
    if dims != 2:
        return f"it is a convolution of {dims} dimension{'s' * (dims > 1)}, and the modules have 2"
    if isinstance(module, nn.Conv2d):
        return f"{type(module).__name__} has a forward of its own"
    return f"{type(module).__name__} runs a convolution that is not an nn.Conv2d"
