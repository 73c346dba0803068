"""Model + inputs → SymbolicNetwork: an ordinary trace in which some sizes are symbols.

torch's FakeTensorMode with a ShapeEnv computes every shape as an expression of its symbols, and
records a guard for each question that the model, or torch, asks about them. The ops are recorded as
in an ordinary trace; what is recorded asks no questions of its own (guards are suppressed then).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch

# torch's own symbols are sympy's: it is imported by now
from sympy import Integer, expand, sympify
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental import _config
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)

from dualcost.errors import ModelError, UsageError
from dualcost.network.expression import symbol
from dualcost.network.guard import Guard, simplified
from dualcost.network.network import Network, Op, TensorSpec
from dualcost.network.symbolic import SymbolicNetwork, mapped, spoken
from dualcost.nn.trace.formulas import RELATIONS, plain
from dualcost.nn.trace.ops import name_of
from dualcost.nn.trace.recorder import Recorder
from dualcost.nn.trace.resizing import Resizing
from dualcost.nn.trace.trace import _trace_fake, trace

SPATIAL = {1: "L", 2: "HW", 3: "DHW"}
# Where the symbols are first tried: no two alike, all divisible by what networks divide by, and not
# the size that the model may have been built for.
BATCH = 5
STEP = 64
SMALLEST_BATCH = Guard("Ge", symbol("B"), Integer(2))
# What torch says when an op takes numbers only.
_NUMBERS_ONLY = re.compile(r"Found symbolic SymInt at index \d+: (?P<size>.*?) in SymIntArrayRef")


class FixedSizeError(ModelError):
    """The model holds for one value of a symbol only, such as the size that it was built for."""


def symbolic_trace(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    name: str = "",
    *,
    symbols: Sequence[str] | None = None,
) -> SymbolicNetwork:
    """Trace a model with its batch and its spatial sizes as symbols; it is left as it was.

    The symbols are B, and of an input with one, two or three spatial dimensions L, H and W, or D, H
    and W; of the second input with other sizes H2, W2. The sizes in `inputs` are those that the
    form certainly holds for.

    Args:
        model: the model, on any device, with weights or without.
        inputs: shapes and dtypes of the inputs, with the batch.
        name: what the network is called; the model's class by default.
        symbols: those of them that are wanted; the others stay the numbers that they are.

    Raises:
        FixedSizeError: a symbol can have one value only; it says which, and what stays symbolic.
        ModelError: the model cannot run with symbols; it says what stopped it.
        UsageError: there is no such symbol.
    """
    name = name or type(model).__name__
    shapes, given = _named(inputs)
    if unknown := [one for one in symbols or () if one not in given]:
        raise UsageError(
            f"{', '.join(unknown)} is not a size of the input {', '.join(map(str, inputs))}",
            f"its symbols are {', '.join(given)}",
        )
    if symbols is not None:
        given = {one: size for one, size in given.items() if one in symbols}
    failure: Exception | None = None
    for hints in _hints(given):
        attempt = _Attempt(model, inputs, name, shapes, hints)
        try:
            form = attempt.form(given)
            if SMALLEST_BATCH in form.guards:
                form = _of_one_too(form, _Attempt(model, inputs, name, shapes, hints, batch=1))
            _held_against(form.at(**given), trace(model, inputs, name))
            return form
        except (ModelError, UsageError) as error:
            failure = error
    assert failure is not None  # there was an attempt
    raise failure


def _held_against(found: Network, traced: Network) -> None:
    """Refuse a form that is not an ordinary trace at the sizes that were given.

    Raises:
        ModelError: torch put a number in the place of a symbol and did not say so.
    """
    for ours, theirs in zip(_products(found), _products(traced), strict=False):
        if (ours.path, ours.macs) != (theirs.path, theirs.macs):
            raise ModelError(
                f"{found.name} has no closed form in its sizes: {ours.path} has {ours.macs} MACs "
                f"by the form and {theirs.macs} when traced",
                "trace it without symbols, or ask for fewer",
            )
    if len(_products(found)) != len(_products(traced)):
        raise ModelError(
            f"{found.name} runs other layers at other sizes", "trace it without symbols"
        )


def _products(network: Network) -> list[Op]:
    return [op for op in network.ops if op.macs != 0]


def _of_one_too(form: SymbolicNetwork, of_one: _Attempt) -> SymbolicNetwork:
    """A form that torch found for batches of two and more, held against one of a single item.

    torch asks whether a batch is 1 to lay out memory; the form holds for it if every product is
    the same. The sizes must then satisfy the guards of both.
    """
    try:
        single = of_one.form({one: size for one, size in form.given.items() if one != "B"})
    except ModelError:
        return form
    found, others = _products(form.network), _products(single.network)
    # not by name: a linear layer is mm and add, or addmm
    if [(op.group, op.path) for op in found] != [(op.group, op.path) for op in others]:
        return form
    pairs = {(op.macs, other.macs) for op, other in zip(found, others, strict=True)}
    if any(expand(sympify(macs).subs(symbol("B"), 1) - other) != 0 for macs, other in pairs):
        return form
    kept = [guard for guard in form.guards if guard != SMALLEST_BATCH]
    return dataclasses.replace(form, guards=simplified([*kept, *single.guards]))


def _named(inputs: Sequence[TensorSpec]) -> tuple[list[tuple[str | int, ...]], dict[str, int]]:
    """The shape of each input with its symbols, and their sizes; alike inputs share theirs."""
    given: dict[str, int] = {}
    shapes: list[tuple[str | int, ...]] = []
    for spec in inputs:
        if not spec.shape:
            shapes.append(())
            continue
        channels = () if "int" in spec.dtype else spec.shape[1:2]
        spatial = spec.shape[1 + len(channels) :]
        letters = SPATIAL.get(len(spatial), "")
        number = ""
        while any(
            given.get(letter + number, extent) != extent
            for letter, extent in zip(letters, spatial, strict=False)
        ):
            number = str(int(number or 1) + 1)
        names = [letter + number for letter in letters]
        batch = "B" if given.get("B", spec.shape[0]) == spec.shape[0] else ""
        given.update(zip(names, spatial, strict=False))
        if batch:
            given.setdefault(batch, spec.shape[0])
        shapes.append((batch or spec.shape[0], *channels, *(names or spatial)))
    return shapes, {one: given[one] for one in sorted(given, key=lambda one: (one[1:], one))}


def _hints(given: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Sizes at which the questions are answered: far from the given ones first, then these."""
    spatial = [one for one in given if one != "B"]
    far: dict[str, int] = {}
    for one in spatial:
        hint = given[one] + STEP
        while hint in far.values():
            hint += STEP
        far[one] = hint
    batch = {one: BATCH for one in given if one == "B"}
    yield {**batch, **far}
    if spatial:
        yield {**batch, **{one: given[one] for one in spatial}}


class _SymbolicRecorder(Recorder):  # type: ignore[no-untyped-call]  # torch has no types
    """Records ops with torch's symbols in their shapes, and asks nothing about them itself."""

    def __init__(self, env: ShapeEnv, afterwards: ExitStack) -> None:
        super().__init__()
        self._env = env
        self._afterwards = afterwards

    @contextmanager
    def of(self, model: nn.Module) -> Iterator[None]:
        with super().of(model):
            yield
        # the run is over: what is asked from now on is about the record
        self._afterwards.enter_context(self._env.suppress_guards())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if "upsample" not in name_of(func):
            return super().__torch_dispatch__(func, types, args, kwargs)
        with enable_python_dispatcher():  # the kernel in C++ takes numbers only
            return super().__torch_dispatch__(func, types, args, kwargs)

    def _record(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        with self._env.suppress_guards():
            super()._record(func, args, kwargs, result)

    @property
    def ops(self) -> tuple[Op, ...]:
        """Without what does not follow from the shapes."""
        return tuple(op(operations=0) for op in self._ops)


@dataclasses.dataclass
class _Attempt:
    """One trace with symbols, whose questions are answered at `hints`."""

    model: nn.Module
    inputs: Sequence[TensorSpec]
    name: str
    shapes: Sequence[tuple[str | int, ...]]
    hints: Mapping[str, int]
    batch: int | None = None  # a number in the place of its symbol

    def form(self, given: Mapping[str, int]) -> SymbolicNetwork:
        """The closed form.

        Raises:
            FixedSizeError: torch found a symbol to have one value only.
            ModelError: the model does not run so.
        """
        env = ShapeEnv(duck_shape=False, specialize_zero_one=False)
        mode = FakeTensorMode(allow_non_fake_inputs=True, shape_env=env)
        mode.cache_enabled = False  # what is remembered of another trace would ask no guards
        sizes: dict[str, Any] = {
            one: _dynamic(mode, hint) for one, hint in self.hints.items() if one in given
        }
        self._symbols = {extent.node.expr: symbol(one) for one, extent in sizes.items()}
        extents = sizes if self.batch is None else {**sizes, "B": self.batch}
        specs = tuple(
            dataclasses.replace(
                spec,
                shape=tuple(
                    extents.get(extent, actual) if isinstance(extent, str) else extent
                    for extent, actual in zip(shape, spec.shape, strict=True)
                ),
            )
            for spec, shape in zip(self.inputs, self.shapes, strict=True)
        )
        # nnpack would ask whether the batch is small enough for it
        nnpack = torch.backends.nnpack.flags(enabled=False)
        with nnpack, _oblivious(), Resizing(), ExitStack() as afterwards:
            recorder = _SymbolicRecorder(env, afterwards)
            try:
                traced = _trace_fake(self.model, specs, self.name, False, mode, recorder)
            except ModelError as error:
                raise self._refusal(error, recorder) from error
        self._refuse_fixed(env, sizes, given)
        try:
            network = self._converted(traced)
        except TypeError as error:  # sympy cannot say whether it is less than 1
            raise ModelError(
                f"{self.name} has channels that depend on the size of its input",
                "trace it without symbols, or ask for fewer",
            ) from error
        guards = [guard for asked in env.guards for guard in self._guards(asked.expr)]
        return SymbolicNetwork(network, dict(given), simplified(guards))

    def _refuse_fixed(
        self, env: ShapeEnv, sizes: Mapping[str, Any], given: Mapping[str, int]
    ) -> None:
        fixed = {
            one: int(value)
            for one, extent in sizes.items()
            if (value := env.replacements.get(extent.node._expr)) is not None and value.is_Integer
        }
        if not fixed:
            return
        names = " and ".join(spoken(one) for one in fixed)
        values = ", ".join(f"{one} = {value}" for one, value in fixed.items())
        free = [one for one in sizes if one not in fixed]
        stays = " and ".join(spoken(one) for one in free)
        alone = f"it runs with {values} alone"
        if any(given[one] != value for one, value in fixed.items()):  # it may run with others too
            alone = "it, or torch, computes with the number"
        raise FixedSizeError(
            f"{self.name} fixes {names}: {alone}",
            f"{stays} can stay a symbol: ask for {', '.join(free)}"
            if free
            else "trace it without symbols",
        )

    def _refusal(self, error: ModelError, recorder: Recorder) -> ModelError:
        """What stopped a trace, in the names of the symbols."""
        cause = error.__cause__ or error
        if (found := _NUMBERS_ONLY.search(str(cause))) is not None:
            return ModelError(
                f"{self.name} cannot run with symbols: {recorder.place(cause)}"
                f"an op takes numbers only and was given {self._named(found['size'])}",
                "trace it without symbols, at each size",
            )
        return ModelError(
            self._named(error.message),
            "its sizes were symbols: trace it without symbols, or ask for fewer",
        )

    def _named(self, text: str) -> str:
        for torchs, ours in self._symbols.items():
            text = re.sub(rf"\b{torchs}\b", str(ours), text)
        return text

    def _converted(self, traced: Network) -> Network:
        """The network with expressions in the place of torch's symbols."""
        known: dict[Any, Any] = {}

        def number(one: Any) -> Any:
            if not isinstance(one, torch.SymInt):
                return one
            expression = one.node.expr
            if expression not in known:
                known[expression] = self._plain(expression)
            return known[expression]

        network: Network = mapped(traced, number)
        return network

    def _plain(self, expression: Any) -> Any:
        try:
            return plain(expression, self._symbols)
        except ValueError as error:
            raise ModelError(
                f"{self.name} has a size that has no closed form: {self._named(str(expression))}",
                "trace it without symbols, or ask for fewer",
            ) from error

    def _guards(self, asked: Any) -> Iterator[Guard]:
        """The guards of one question; of "both" each."""
        kind = type(asked).__name__
        if kind == "And":
            for argument in asked.args:
                yield from self._guards(argument)
        elif asked.is_Relational:
            test = RELATIONS[kind]
            yield Guard(test, self._plain(asked.lhs), self._plain(asked.rhs))
        elif asked != True:  # noqa: E712  # sympy's true, which is not Python's
            raise ModelError(
                f"{self.name} asks what no closed form can answer: {self._named(str(asked))}",
                "trace it without symbols",
            )


def _dynamic(mode: FakeTensorMode, hint: int) -> Any:
    """A new symbol of torch's."""
    context: Any = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC])
    carrier: Tensor = mode.from_tensor(torch.empty(hint, device="meta"), symbolic_context=context)
    return carrier.shape[0]


def _oblivious() -> Any:
    """Do not ask of every size whether it is 1, where this torch can be told so."""
    if not hasattr(_config, "backed_size_oblivious"):
        return nullcontext()
    return _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]  # torch adds it
