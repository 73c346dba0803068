"""Which batch norm can be folded into which convolution: seen from what ran, not from names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from dualcost.network.network import Op
from dualcost.nn.layers.kinds import MODULES
from dualcost.nn.trace.inputs import Example, copied
from dualcost.nn.trace.recorder import Recorder

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# By their exact type: a subclass may have a forward of its own.
CONVOLUTIONS: tuple[type[nn.Module], ...] = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, *MODULES.values(),
)  # fmt: skip
SAMPLE = 10_000
NORMS: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Run:
    """One run of a module.

    Attributes:
        path: the module's.
        shape: of what it read.
        channels_last: what it read lay in memory with its channels last.
        reads: the ops that made what it read.
        makes: the ops that made its result.
        sample: some SAMPLE numbers of its result.
    """

    path: str
    shape: tuple[int, ...]
    channels_last: bool
    reads: frozenset[int]
    makes: frozenset[int]
    sample: Tensor


@dataclass(frozen=True)
class Observed:
    """What ran when a model ran once on real tensors.

    Attributes:
        ops: every op, in order.
        runs: of the modules that were watched.
        results: the ops that made what the model returned.
        result: what it returned.
    """

    ops: tuple[Op, ...]
    runs: tuple[Run, ...]
    results: frozenset[int]
    result: Any

    def of(self, path: str) -> tuple[Run, ...]:
        """The runs of one module."""
        return tuple(run for run in self.runs if run.path == path)


def observe(model: nn.Module, example: Example, watched: Iterable[str]) -> Observed:
    """Run a model once, as it is, and write down what runs in it, and what some modules do."""
    recorder, runs = Recorder(), list[Run]()
    args, kwargs = copied(example)
    with ExitStack() as stack:
        for path in watched:
            hook = _watch(path, recorder, runs)
            stack.callback(model.get_submodule(path).register_forward_hook(hook).remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(recorder.of(model))
        result = model(*args, **kwargs)
    return Observed(recorder.ops, tuple(runs), recorder.makers(result), result)


def _watch(path: str, recorder: Recorder, runs: list[Run]) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], made: Tensor) -> None:
        if not (len(args) == 1 and isinstance(args[0], Tensor)):
            return  # by keyword: nothing is known of it, and it stays as it is
        (image,) = args
        last = image.dim() == 4 and image.is_contiguous(memory_format=torch.channels_last)
        shape, reads = tuple(image.shape), recorder.makers(args)
        # where both formats are one (one channel, 1×1 maps), it is the usual one
        last = last and not image.is_contiguous()
        makes = recorder.makers(made)
        with _disable_current_modes():  # it is no work of the model's
            flat = made.detach().flatten()
            sample = flat[:: max(1, flat.numel() // SAMPLE)].clone()
        runs.append(Run(path, shape, last, reads, makes, sample))

    return hook


def replaceable(model: nn.Module) -> list[str]:
    """The convolutions and batch norms in whose place another may stand: no hook watches them."""
    return [
        path
        for path, module in model.named_modules()
        if type(module) in (*CONVOLUTIONS, *NORMS)
        and not (module._forward_hooks or module._forward_pre_hooks)
    ]


def norms_behind(model: nn.Module, seen: Observed) -> dict[str, str]:
    """For convolutions, by their path, the batch norm that can be folded into them.

    One can if it alone reads what the convolution makes, in every run of both, and normalises with
    running statistics; if that is no result of the model; and if no other module reads the
    parameters of one of them.
    """
    modules = dict(model.named_modules())
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in seen.ops:
        for index in set(op.inputs):
            readers[index].append(op)
    makers = {
        index: run
        for run in seen.runs
        if _takes_norm(modules[run.path], run)
        for index in run.makes
    }
    found: dict[str, str] = {}
    taken = read_elsewhere(model, seen.ops)
    for norm in dict.fromkeys(run.path for run in seen.runs if _is_fixed(modules[run.path])):
        sources = [_source(run, makers, readers, seen.results) for run in seen.of(norm)]
        source = sources[0]
        paths = {one.path if one else "" for one in sources}
        if source is None or len(paths) > 1 or len(sources) != len(seen.of(source.path)):
            continue
        if not {source.path, norm} & taken:
            found[source.path] = norm
    return found


def _source(
    run: Run, makers: dict[int, Run], readers: dict[int, list[Op]], results: frozenset[int]
) -> Run | None:
    """The convolution's run whose result this run of a norm alone reads."""
    if len(run.reads) != 1:
        return None
    (index,) = run.reads
    alone = [op.path for op in readers[index]] == [run.path] and index not in results
    return makers.get(index) if alone else None


def _takes_norm(module: nn.Module, run: Run) -> bool:
    if type(module) not in CONVOLUTIONS or len(run.makes) != 1:
        return False
    if type(module) in TRANSPOSED and module.groups != 1:
        return False
    kernel: Any = module.kernel_size
    return len(run.shape) == len(kernel) + 2  # one image has its channels elsewhere


def _is_fixed(module: nn.Module) -> bool:
    return type(module) in NORMS and module.running_mean is not None


def read_elsewhere(model: nn.Module, ops: Sequence[Op]) -> frozenset[str]:
    """The modules that hold a parameter which an op outside of them reads, by their paths.

    Two modules that share a parameter hold it both.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    held = {
        path: {names[id(parameter)] for parameter in module.parameters(recurse=False)}
        for path, module in model.named_modules()
    }
    foreign = {name for op in ops for name in op.parameters if name not in held[op.path]}
    return frozenset(path for path, own in held.items() if own & foreign)
