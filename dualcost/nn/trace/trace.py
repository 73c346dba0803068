"""Model + inputs → Network: what runs when the model runs once, without running it.

The model is deep-copied with fake tensors in the place of its own (torch's FakeTensorMode): no
weight is allocated, no arithmetic is done, and the model itself is never touched. A dispatch mode
sees every aten op; global module hooks, installed for the time of the trace only, say where.

A model whose control flow depends on values (detection's NMS) cannot run so. It is then run on
real tensors, again on a copy, and the network carries a note that says so.
"""

from __future__ import annotations

import copy
import inspect
import logging
import re
import warnings
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeCopyMode,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.nn.parameter import is_lazy

from dualcost.errors import ModelError, UsageError
from dualcost.network.blocks import find_blocks
from dualcost.network.network import Network, Parameter, TensorSpec
from dualcost.nn.trace.inputs import Example, batched, copied, make_inputs
from dualcost.nn.trace.recorder import Recorder, shape_of

# A model that asks for values raises one of these under fake tensors,
NEEDS_VALUES = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedOperatorException,
)
# or another error with one of these words, which stand here with what the model did.
ASKS_FOR_VALUES = {
    ".numpy() is not supported for tensor subclasses": "numpy()",
    "no fake impl registered": "a custom op",
}
# What a user calls the ops by which a model asks.
ASKED_BY = {"_local_scalar_dense": "item()"}
SEED = 0
LONGEST = 300  # characters of another's error message


class ValuesNeededError(ModelError):
    """The model's control flow depends on values, so fake tensors cannot run it."""


def trace(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    name: str = "",
    *,
    listed: bool = False,
    example: Example | None = None,
    device: str = "",
) -> Network:
    """Trace a model; it is left exactly as it was, also when its forward raises.

    The copy that is traced runs in eval mode and without gradients. Models on the meta device
    (without weights) are as welcome as real ones.

    Args:
        model: the model, on any device.
        inputs: shapes and dtypes of the inputs, with the batch.
        name: what the network is called; the model's class by default.
        listed: the model takes a list of unbatched images (detectors do).
        example: call it with these arguments, of which `inputs` are the tensors; None: with
            random tensors.
        device: "cpu" or "cuda": run a copy there on real tensors, instead of on fake ones.

    Raises:
        ModelError: the model cannot be copied, or its forward raises.
        ValuesNeededError: the same, because it needs values and has no weights to compute them.
        UsageError: there is no such device here.
    """
    name = name or type(model).__name__
    if not (example or listed) and (whole := batched(model, inputs)) != tuple(inputs):
        network = trace(model, whole, name, device=device)
        note = f"a batch of 1 is added to {inputs[0]}"
        return replace(network, notes=(note, *network.notes))
    if device:
        where = _device(device)
        if any(tensor.is_meta for tensor in _tensors(model)):
            raise ValuesNeededError(f"{name} has no weights", "give a model that has them")
        return _trace_real(model, inputs, name, listed, "that was asked for", example, where)
    try:
        return _trace_fake(model, inputs, name, listed, example=example)
    except ValuesNeededError as needed:
        if any(tensor.is_meta for tensor in _tensors(model)):
            raise
        return _trace_real(model, inputs, name, listed, str(needed), example)


def _trace_fake(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    name: str,
    listed: bool,
    mode: FakeTensorMode | None = None,
    recorder: Recorder | None = None,
    example: Example | None = None,
) -> Network:
    mode = mode or FakeTensorMode(allow_non_fake_inputs=True)
    if any(is_lazy(tensor) for tensor in _tensors(model)):
        raise ValuesNeededError("a lazy layer needs values", "run it once, so that it has weights")
    with _copying(name):
        plain = _plain(model, mode)
        with _Faking(mode):
            fake = copy.deepcopy(model, plain)
    with mode, _quiet():
        return _run(fake, inputs, name, listed, (), recorder, example)


def _device(text: str) -> torch.device:
    """A device that is here.

    Raises:
        UsageError: there is none, or torch knows none of that name.
    """
    kind, _, number = text.partition(":")
    if kind == "cpu" and not number:
        return torch.device(kind)
    if kind != "cuda" or not (number or "0").isdecimal():
        raise UsageError(f"{text!r} is not a device", "cpu, cuda or cuda:1")
    if int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"there is no {text} here: torch sees no such GPU", "run on the cpu")
    return torch.device(text)


def _trace_real(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    name: str,
    listed: bool,
    reason: str,
    example: Example | None = None,
    device: torch.device | None = None,
) -> Network:
    with _copying(name):
        real = copy.deepcopy(model)
    if device is not None:
        real = real.to(device)
    given = "random inputs" if example is None else "the given inputs"
    on = f" on {device}" if device else ""
    note = f"run on real tensors{on} with {given}, because {reason}"
    with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
        torch.manual_seed(SEED)
        return _run(real, inputs, name, listed, (note,), example=example, device=device)


@contextmanager
def _copying(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ModelError(
            f"{name} cannot be copied: {type(error).__name__}: {error}",
            "a copy is traced, so that the model stays as it was: "
            "keep what cannot be copied out of it, and do not run it before",
        ) from error


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers, in one walk; shared ones as often as they are held."""
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                yield tensor


def _plain(model: nn.Module, mode: FakeTensorMode) -> dict[int, Any]:
    """A memo for `copy.deepcopy` with the plain tensors of a model, and its empty dictionaries.

    They are nearly all that it has: made one by one, through torch's dispatcher and by `copy`'s
    general way, they would be most of the time of copying it. Tensors that are not plain, or
    share memory, are left to `_Faking`.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            if type(value) in (dict, OrderedDict) and not value:  # hooks that nobody set
                memo[id(value)] = type(value)()
    tensors = {id(tensor): tensor for tensor in _tensors(model)}
    users = Counter(tensor.untyped_storage()._cdata for tensor in tensors.values())
    for key, tensor in tensors.items():
        plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
        alone = users[tensor.untyped_storage()._cdata] == 1
        if plain and alone and tensor.is_leaf and tensor.is_contiguous():
            elem = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
            fake: Any = FakeTensor(mode, elem, "cpu" if tensor.is_meta else tensor.device)
            if isinstance(tensor, nn.Parameter):
                fake._is_param = True
            memo[key] = fake.requires_grad_(tensor.requires_grad)
    return memo


class _Faking(FakeCopyMode):
    """While a model is copied, its tensors become fake ones.

    Those of a model built without weights leave the meta device for the CPU, where they would be,
    so that constants that its forward makes meet them on the same device.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        first = args[0] if args else None
        if not (isinstance(first, Tensor) and first.is_meta):
            return super().__torch_function__(func, types, args, kwargs)
        if func is Tensor.__deepcopy__:
            memo = args[1]
            if id(first) not in memo:
                memo[id(first)] = self._on_cpu(first)
            return memo[id(first)]
        if func is torch._C.TensorBase.clone:  # a parameter is copied so
            return self._on_cpu(first)
        return super().__torch_function__(func, types, args, kwargs)

    def _on_cpu(self, tensor: Tensor) -> Tensor:
        with self.fake_mode:
            return torch.empty_strided(
                tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cpu"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging the traceback of an op that fails under fake tensors."""
    logger = logging.getLogger(FakeTensorMode.__module__)
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _run(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    name: str,
    listed: bool,
    notes: tuple[str, ...],
    recorder: Recorder | None = None,
    example: Example | None = None,
    device: torch.device | None = None,
) -> Network:
    """Run a copy once under the recorder, on a device, else where its tensors are."""
    for module in model.modules():
        module.training = False  # not .eval(), which models override to do other things
    tensors = [*_tensors(model)]
    device = device or (tensors[0].device if tensors else torch.device("cpu"))
    recorder = recorder or Recorder()
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        attention_unfused(),
    ):
        args, kwargs = copied(example) if example else make_inputs(inputs, device, listed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if any(is_lazy(tensor) for tensor in tensors):
                    model(*args, **kwargs)  # its first run makes its weights
                parameters = tuple(
                    Parameter(key, shape_of(p), p.requires_grad, p.element_size())
                    for key, p in model.named_parameters()
                )
                buffers = tuple(
                    Parameter(key, shape_of(b), False, b.element_size())
                    for key, b in model.named_buffers()
                )
                with recorder.of(model):
                    result = model(*args, **kwargs)
        except Exception as error:
            if asked := _asked(error):
                raise ValuesNeededError(
                    f"{asked} needs values",
                    "give a model with weights, or a factory that makes one",
                ) from error
            shown = ", ".join(str(spec) for spec in inputs)
            raise ModelError(
                f"{name} does not run on {shown}: {recorder.place(error)}{_first_line(error)}",
                f"its forward takes {_signature(model)}; give its input with --input"
                + _other_dtype(model, inputs),
            ) from error
    ops = recorder.ops
    return Network(
        name=name,
        inputs=tuple(inputs),
        ops=ops,
        parameters=parameters,
        blocks=find_blocks(ops, recorder.modules, recorder.makers(result)),
        notes=notes,
        buffers=buffers,
        versions={"torch": torch.__version__},
    )


def _asked(error: Exception) -> str:
    """The op by which a model asked for values, if that is why it failed; else ""."""
    if isinstance(error, NEEDS_VALUES):
        op = str(error.func).removeprefix("aten.").partition(".")[0]
        return ASKED_BY.get(op, op)
    return next((op for words, op in ASKS_FOR_VALUES.items() if words in str(error)), "")


def _other_dtype(model: nn.Module, inputs: Sequence[TensorSpec]) -> str:
    """How to say the dtype of the model's weights, if an input of floats has another."""
    weights = {str(p.dtype).removeprefix("torch.") for p in model.parameters()}
    for spec in inputs:
        if "float" in spec.dtype and len(weights) == 1 and spec.dtype not in weights:
            shape = "x".join(map(str, spec.shape))
            return f", such as {shape}:{weights.pop()} for its dtype"
    return ""


@contextmanager
def attention_unfused() -> Iterator[None]:
    """Keep attention modules from the fused path that hides their products, for a while."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _first_line(error: Exception) -> str:
    """The first line that says something, without a word about fake tensors."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = re.sub(
        r"FakeTensor\(\.\.\.,(?: [^(]*)? size=\(([^)]*)\)[^)]*\)", r"a tensor of (\1)", first
    )
    text = text.replace("FakeTensor", "Tensor")
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    kind = type(error)
    if "Fake" in kind.__name__:  # one of torch's own; users know its parent
        kind = kind.__mro__[1]
    return f"{kind.__name__}: {text}" if text else kind.__name__


def _signature(model: nn.Module) -> str:
    try:
        return str(inspect.signature(model.forward))
    except (TypeError, ValueError):
        return "what its source says"


def traced_with(network: Network, *libraries: str) -> Network:
    """The network with the versions of the libraries that made the model."""
    found = {library: version(library) for library in libraries}
    return replace(network, versions={**network.versions, **found})
