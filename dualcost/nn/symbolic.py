"""Model + inputs → SymbolicNetwork: an ordinary trace in which some sizes are symbols.

torch's FakeTensorMode with a ShapeEnv computes every shape as an expression of its symbols, and
records a guard for each question that the model, or torch, asks about them. The ops are recorded as
in an ordinary trace; what is recorded asks no questions of its own (guards are suppressed then).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental import _config
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)

from dualcost.errors import ModelError, UsageError
from dualcost.expression import symbol
from dualcost.guard import Guard, simplified
from dualcost.nn.trace import _Recorder, _trace_fake
from dualcost.site import Network, Op, TensorSpec
from dualcost.symbolic import SymbolicNetwork, mapped, spoken
from dualcost.units import size

SPATIAL = {1: "L", 2: "HW", 3: "DHW"}
# Where the symbols are first tried: no two alike, all divisible by what networks divide by, and not
# the size that the model may have been built for.
BATCH = 5
STEPS = (64, 160, 288, 416)
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
            form.check(**given)
            return form
        except (ModelError, UsageError) as error:
            failure = error
    assert failure is not None  # there was an attempt
    raise failure


def _named(inputs: Sequence[TensorSpec]) -> tuple[list[tuple[str | int, ...]], dict[str, int]]:
    """The shape of each input with its symbols, and their sizes; alike inputs share theirs."""
    given: dict[str, int] = {}
    shapes: list[tuple[str | int, ...]] = []
    for spec in inputs:
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
    far = {
        one: given[one] + STEPS[index % len(STEPS)] + 32 * index
        for index, one in enumerate(spatial)
    }
    batch = {one: BATCH for one in given if one == "B"}
    yield {**batch, **far}
    if spatial:
        yield {**batch, **{one: given[one] for one in spatial}}


class _SymbolicRecorder(_Recorder):
    """Records ops with torch's symbols in their shapes, and asks nothing about them itself."""

    def __init__(self, env: ShapeEnv) -> None:
        super().__init__()
        self._env = env
        self.guards: tuple[Any, ...] = ()
        self._silence = ExitStack()

    @contextmanager
    def of(self, model: nn.Module) -> Iterator[None]:
        with super().of(model):
            yield
        # the run is over: what is asked from now on is about the record
        self._silence.enter_context(self._env.suppress_guards())

    def _record(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        with self._env.suppress_guards():
            super()._record(func, args, kwargs, result)

    @property
    def ops(self) -> tuple[Op, ...]:
        """Without what does not follow from the shapes."""
        return tuple(dataclasses.replace(op, operations=0) for op in self._ops)


@dataclasses.dataclass
class _Attempt:
    """One trace with symbols, whose questions are answered at `hints`."""

    model: nn.Module
    inputs: Sequence[TensorSpec]
    name: str
    shapes: Sequence[tuple[str | int, ...]]
    hints: Mapping[str, int]

    def form(self, given: Mapping[str, int]) -> SymbolicNetwork:
        """The closed form.

        Raises:
            FixedSizeError: torch found a symbol to have one value only.
            ModelError: the model does not run so.
        """
        env = ShapeEnv(duck_shape=False, specialize_zero_one=False)
        mode = FakeTensorMode(allow_non_fake_inputs=True, shape_env=env)
        recorder = _SymbolicRecorder(env)
        sizes = {one: _dynamic(mode, hint) for one, hint in self.hints.items()}
        self._symbols = {extent.node.expr: symbol(one) for one, extent in sizes.items()}
        specs = tuple(
            dataclasses.replace(
                spec,
                shape=tuple(
                    sizes.get(extent, spec.shape[place]) if isinstance(extent, str) else extent
                    for place, extent in enumerate(shape)
                ),
            )
            for spec, shape in zip(self.inputs, self.shapes, strict=True)
        )
        with _without_backends(), _config.patch(**_oblivious()):
            try:
                traced = _trace_fake(self.model, specs, self.name, False, mode, recorder)
            except ModelError as error:
                raise self._refusal(error) from error
        self._refuse_fixed(env, sizes)
        network = self._converted(traced)
        guards = [guard for asked in env.guards for guard in self._guards(asked.expr)]
        return SymbolicNetwork(network, dict(given), simplified(guards))

    def _refuse_fixed(self, env: ShapeEnv, sizes: Mapping[str, Any]) -> None:
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
        raise FixedSizeError(
            f"{self.name} fixes {names}: it runs with {values} alone",
            f"{stays} can stay a symbol: ask for {', '.join(free)}"
            if free
            else "trace it without symbols",
        )

    def _refusal(self, error: ModelError) -> ModelError:
        """What stopped a trace, in the names of the symbols."""
        cause = str(error.__cause__ or "")
        if (found := _NUMBERS_ONLY.search(cause)) is not None:
            place = error.message.partition(": ")[2].partition(": ")[0]
            where = f"{place}: " if place.startswith("in ") else ""
            return ModelError(
                f"{self.name} cannot run with symbols: {where}"
                f"an op takes numbers only and was given {self._named(found['size'])}",
                "ask for B alone, or trace it at each size",
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

        return _whole(mapped(traced, number))

    def _guards(self, asked: Any) -> Iterator[Guard]:
        """The guards of one question; of "both" each."""
        kind = type(asked).__name__
        if kind == "And":
            for argument in asked.args:
                yield from self._guards(argument)
        elif asked.is_Relational:
            test = _RELATIONS[kind]
            yield Guard(test, self._plain(asked.lhs), self._plain(asked.rhs))
        elif asked != True:  # noqa: E712  # sympy's true, which is not Python's
            raise ModelError(
                f"{self.name} asks what no closed form can answer: {self._named(str(asked))}",
                "trace it without symbols",
            )

    def _plain(self, expression: Any) -> Any:
        """An expression of torch's own functions in sympy's."""
        from sympy import Max, Min, Mod, Rational, floor

        if expression in self._symbols:
            return self._symbols[expression]
        if expression.is_Float:
            return Rational(float(expression))  # exact: floats are binary fractions
        if not expression.args:
            if expression.is_Symbol:
                raise ModelError(
                    f"{self.name} has sizes that depend on more than its input's",
                    "trace it without symbols",
                )
            return expression
        parts = [self._plain(argument) for argument in expression.args]
        match type(expression).__name__:
            case "FloorDiv" | "CleanDiv":
                return floor(parts[0] / parts[1])
            case "CeilDiv":
                return -floor(-parts[0] / parts[1])
            case "Mod" | "PythonMod":
                return Mod(*parts)
            case "IntTrueDiv" | "FloatTrueDiv":
                return parts[0] / parts[1]
            case "FloorToInt" | "TruncToInt" | "TruncToFloat" | "Floor":  # sizes are positive
                return floor(parts[0])
            case "CeilToInt":
                return -floor(-parts[0])
            case "ToFloat" | "Identity":
                return parts[0]
            case "Max":
                return Max(*parts)
            case "Min":
                return Min(*parts)
            case "Add" | "Mul" | "Pow" | "floor":
                return expression.func(*parts)
        raise ModelError(
            f"{self.name} has a size that has no closed form: {self._named(str(expression))}",
            "trace it without symbols",
        )


_RELATIONS = {
    "Equality": "Eq",
    "Unequality": "Ne",
    "GreaterThan": "Ge",
    "StrictGreaterThan": "Gt",
    "LessThan": "Le",
    "StrictLessThan": "Lt",
}


def _whole(network: Network) -> Network:
    """A block's convolution has the sizes of its first and its last op."""
    return network


def _dynamic(mode: FakeTensorMode, hint: int) -> Any:
    """A new symbol of torch's."""
    context: Any = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC])
    carrier: Tensor = mode.from_tensor(torch.empty(hint, device="meta"), symbolic_context=context)
    return carrier.shape[0]


@contextmanager
def _without_backends() -> Iterator[None]:
    """Keep torch from asking whether the batch is small enough for one of its kernels."""
    with torch.backends.nnpack.flags(enabled=False):
        yield


def _oblivious() -> dict[str, bool]:
    """Do not ask of every size whether it is 1, where this torch can be told so."""
    return {"backed_size_oblivious": True} if hasattr(_config, "backed_size_oblivious") else {}
