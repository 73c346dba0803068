"""Writes down what runs: every aten op, in which module, on what, in which memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from dualcost.network.network import Op
from dualcost.nn.trace.lifetimes import Lifetimes
from dualcost.nn.trace.ops import ALLOCATIONS, is_view, name_of, work
from dualcost.nn.trace.rules import MODULE_RULES

# Not work of the model: what a profiler and a compiler leave in it.
IGNORED = ("prim", "profiler")
_DEVICE = torch.ops.prim.device.default


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's mode has no types
    """Writes down every op that runs, with the module it runs in and the ops it reads from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        # each waits for the memory that it took, which is known when the run is over
        self._ops: list[partial[Op]] = []
        self._lifetimes = Lifetimes()
        self.modules: dict[str, str] = {}
        self._paths: dict[int, str] = {}
        self._stack: list[nn.Module] = []
        # a parameter is known by its memory, so that views of it are known too
        self._parameters: dict[int, str] = {}
        self._casts: list[StorageWeakRef] = []
        self._dims: dict[str, int] = {}
        self._makers: Any = WeakIdKeyDictionary()
        self._raised: dict[int, str] = {}
        # a module that a user's rule counts as one, while it runs
        self._ruled: nn.Module | None = None

    @contextmanager
    def of(self, model: nn.Module) -> Iterator[None]:
        """Record what runs in a model, whose weights exist by now."""
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._stack = [model]
        for key, parameter in model.named_parameters():
            self._parameters[_memory(parameter)] = key
            self._dims[key] = parameter.dim()
        with ExitStack() as hooks:
            for hook in (
                register_module_forward_pre_hook(self._enter_module),
                register_module_forward_hook(self._leave_module, always_call=True),
            ):
                hooks.callback(hook.remove)
            hooks.enter_context(self)
            yield

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops in order, each with the memory that it took, and when that was free again."""
        return tuple(op(memory=self._lifetimes.of(index)) for index, op in enumerate(self._ops))

    def makers(self, result: Any) -> frozenset[int]:
        """The ops that made the tensors in a result."""
        tensors = (leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        return frozenset(self._makers[t] for t in tensors if t in self._makers)

    def place(self, error: BaseException) -> str:
        """In which module below the model's own forward an error was raised, for a message."""
        return self._raised.get(id(error), "")

    def _enter_module(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)
        self.modules[self._path(module)] = type(module).__name__
        if self._ruled is None and type(module) in MODULE_RULES:
            self._ruled = module

    def _leave_module(self, module: nn.Module, args: Any, result: Any) -> None:
        self._stack.pop()
        if self._ruled is module:
            self._ruled = None
            if sys.exception() is None:
                self._record_module(module, args, result)
        if (error := sys.exception()) is not None and id(error) not in self._raised:
            path = self._path(module)
            self._raised[id(error)] = f"in {path} ({type(module).__name__}): " if path else ""

    def _path(self, module: nn.Module) -> str:
        return self._paths.get(id(module), "")

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is _DEVICE and isinstance(args[0], FakeTensor):
            return args[0].fake_device  # asked more often than anything is computed
        kwargs = kwargs or {}
        self._lifetimes.sweep(len(self._ops))
        result = func(*args, **kwargs)
        if self._ruled is not None or name_of(func) in ALLOCATIONS:
            # memory of the op that will fill it, or of the module that is counted as one
            self._lifetimes.made(_tensors(result), len(self._ops))
        elif func.namespace not in IGNORED:
            self._record(func, args, kwargs, result)
        return result

    def _record(
        self,
        func: torch._ops.OpOverload,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        read = [*_tensors(args), *_tensors(tuple(kwargs.values()))]
        made = [*_tensors(result)]
        names = [self._parameters.get(_memory(tensor)) for tensor in read]
        maps = [tensor for tensor, key in zip(read, names, strict=True) if key is None]
        module = self._stack[-1]
        learnt = any(names) or isinstance(module, nn.Linear)
        done = work(func, _arguments(func, args, kwargs), result, learnt=learnt)
        # a view of a parameter, or one of another dtype, does not use it yet
        passed_on = is_view(func) or (name_of(func) == "_to_copy" and any(names))
        used = [] if passed_on else dict.fromkeys(key for key in names if key)
        for tensor in made if passed_on else ():
            self._remember(tensor, names[0])
        self._lifetimes.read(read)
        self._lifetimes.made(made, len(self._ops))
        self._ops.append(
            partial(
                Op,
                name=name_of(func),
                path=self._path(module),
                module=type(module).__name__,
                group=done.group,
                inputs=tuple(self._makers.get(tensor, -1) for tensor in maps),
                in_shapes=tuple(shape_of(tensor) for tensor in maps),
                out_shapes=tuple(shape_of(tensor) for tensor in made if tensor.numel()),
                macs=done.macs,
                parameters=tuple(sorted(used, key=self._rank)),
                site=done.site,
                operations=done.operations,
                itemsize=made[0].element_size() if made else 4,
            )
        )
        for tensor in (*made, *_written(func, args)):
            self._makers[tensor] = len(self._ops) - 1

    def _record_module(self, module: nn.Module, args: Any, result: Any) -> None:
        """A module that a user's rule counts is one op."""
        group, rule = MODULE_RULES[type(module)]
        read = [leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        names = (self._parameters.get(_memory(p)) for p in module.parameters())
        self._ops.append(
            partial(
                Op,
                name=type(module).__name__,
                path=self._path(module),
                module=type(module).__name__,
                group=group,
                inputs=tuple(self._makers.get(tensor, -1) for tensor in read),
                in_shapes=tuple(shape_of(tensor) for tensor in read),
                out_shapes=tuple(shape_of(tensor) for tensor in made),
                macs=int(rule(module, args, result)),
                parameters=tuple(sorted((name for name in names if name), key=self._rank)),
                itemsize=made[0].element_size() if made else 4,
            )
        )
        for tensor in made:
            self._makers[tensor] = len(self._ops) - 1

    def _remember(self, tensor: Tensor, key: str | None) -> None:
        """Know a parameter by a cast of it too; a weak reference keeps its address from reuse."""
        if key and _memory(tensor) not in self._parameters:
            self._parameters[_memory(tensor)] = key
            self._casts.append(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]

    def _rank(self, key: str) -> tuple[int, bool]:
        """Weights before biases, which have fewer dimensions; what is alike, as it was read."""
        return -self._dims[key], key.endswith("bias")


def _tensors(values: Any) -> Iterator[Tensor]:
    """Those among an op's arguments or results, which nest in lists and tuples only."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Integers, or torch's symbols for them in a symbolic trace."""
    return tuple(tensor.shape)


def _arguments(
    func: torch._ops.OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """All arguments of a call by the names of the op's schema."""
    names, defaults = _signature(func)
    return {**defaults, **dict(zip(names, args, strict=False)), **kwargs}


@cache
def _signature(func: torch._ops.OpOverload) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of an op's arguments, and the defaults of those that have one."""
    arguments = func._schema.arguments
    defaults = {a.name: a.default_value for a in arguments if a.has_default_value()}
    return tuple(a.name for a in arguments), defaults


def _written(func: torch._ops.OpOverload, args: Sequence[Any]) -> Iterator[Tensor]:
    """The arguments that an op wrote to: from now on it is their maker."""
    for place in _places_written(func):
        if place < len(args) and isinstance(args[place], Tensor):
            yield args[place]


@cache
def _places_written(func: torch._ops.OpOverload) -> tuple[int, ...]:
    infos = (argument.alias_info for argument in func._schema.arguments)
    return tuple(i for i, info in enumerate(infos) if info is not None and info.is_write)
