"""A traced network whose batch, height and width are symbols: sizes and MACs are expressions.

It is a `Network` like any other, with expressions where another has integers: recipes, rules and
costs work on it as they are. The guards say for which sizes it is what the model does; `at` puts
numbers in the place of the symbols and refuses others. What does not follow from shapes alone
(memory, operations besides multiply-accumulates) is left out.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcost.errors import TraceFileError, UsageError
from dualcost.files import write_atomically
from dualcost.network.expression import Expression, Values, parse
from dualcost.network.guard import Guard
from dualcost.network.network import Block, Network, Op, Parameter, TensorSpec
from dualcost.network.site import ConvSite

SCHEMA = 1
SUFFIX = ".json.gz"

NAMES = {"B": "batch", "D": "depth", "H": "height", "W": "width", "L": "length"}


def spoken(name: str) -> str:
    """What a symbol stands for, in a word: "H" is "height", "H2" "height of input 2"."""
    word = NAMES.get(name[0], name)
    return f"{word} of input {name[1:]}" if name[1:] else word


@dataclass(frozen=True)
class SymbolicNetwork:
    """A network in closed form, and for which sizes the form holds.

    Attributes:
        network: its sizes, MACs and convolutions are expressions, or integers where they do not
            depend on the symbols; the ops are those of an ordinary trace, in its order.
        given: each symbol, and the size that it had in the inputs that were given.
        guards: all must hold; each says so in its text.
    """

    network: Network
    given: dict[str, int]
    guards: tuple[Guard, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the sizes that are free, such as B, H and W."""
        return tuple(self.given)

    @property
    def macs(self) -> Expression:
        """All multiply-accumulates in closed form."""
        return total(op.macs for op in self.network.ops)

    def check(self, **sizes: int) -> None:
        """Refuse sizes for which the form does not hold.

        Raises:
            UsageError: a size is missing, unknown or not positive, or a guard does not hold.
        """
        admit(self.network.name, self.symbols, self.guards, sizes)

    def at(self, **sizes: int) -> Network:
        """The network with integers again, at these sizes.

        Raises:
            UsageError: as `check`.
        """
        self.check(**sizes)
        values = Values(sizes)
        network: Network = mapped(
            self.network, lambda n: n if isinstance(n, int | str | float) else values.integer(n)
        )
        return network

    def record(self) -> dict[str, Any]:
        """Itself as JSON: an expression that is not an integer is text."""
        return {
            "schema": SCHEMA,
            "given": self.given,
            "guards": [guard.record() for guard in self.guards],
            "network": _plain(self.network),
        }

    @classmethod
    def of(cls, record: Any) -> SymbolicNetwork:
        """Read what `record` wrote; text becomes an expression, and nothing is evaluated.

        Raises:
            TraceFileError: it is damaged, foreign, or of another schema.
        """
        try:
            if record["schema"] != SCHEMA:
                raise ValueError(f"schema {record['schema']}; this dualcost reads {SCHEMA}")
            given = {str(name): int(size) for name, size in record["given"].items()}
            guards = tuple(Guard.of(guard) for guard in record["guards"])
            return cls(_network(record["network"]), given, guards)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise TraceFileError(
                f"this is not a readable closed form ({type(error).__name__}: {error})",
                "delete it and run again",
            ) from error


def admit(
    name: str, symbols: Iterable[str], guards: Sequence[Guard], sizes: Mapping[str, int]
) -> None:
    """Refuse sizes for which the closed form of the network `name` does not hold.

    Raises:
        UsageError: a size is missing, unknown or not positive, or a guard does not hold.
    """
    names = tuple(symbols)
    if set(sizes) != set(names):
        wanted = ", ".join(f"{one}=…" for one in names)
        raise UsageError(
            f"{name} has {'the symbols ' if names else 'no symbols'}{', '.join(names)}",
            f"give {wanted}" if names else "give no sizes",
        )
    for one, size in sizes.items():
        if size < 1:
            raise UsageError(f"{one} = {size} is not positive", f"give {one} = 1, 2, 3, …")
    values = Values(sizes)
    for guard in guards:
        if not guard.holds(values):
            shown = ", ".join(f"{one} = {size}" for one, size in sizes.items())
            raise UsageError(
                f"the closed form of {name} holds for {guard}, not for {shown}",
                "choose sizes for which all guards hold ("
                + "; ".join(map(str, guards))
                + "), or trace the model at this size",
            )


def total(expressions: Any) -> Expression:
    """The sum of many expressions, made at once: adding them one by one takes sympy long."""
    from sympy import Add, sympify

    return Add(*map(sympify, expressions))


def mapped(facts: Any, number: Callable[[Any], Any]) -> Any:
    """Facts with every number, of whatever type, replaced."""
    if dataclasses.is_dataclass(facts) and not isinstance(facts, type):
        fields = {f.name: mapped(getattr(facts, f.name), number) for f in dataclasses.fields(facts)}
        if isinstance(facts, Op) and fields["site"] is not None:
            fields["macs"] = fields["site"].macs  # the same, in one way of writing it
        return type(facts)(**fields)
    if isinstance(facts, tuple):
        return tuple(mapped(fact, number) for fact in facts)
    if isinstance(facts, dict) or facts is None or isinstance(facts, str | bool):
        return facts
    return number(facts)


def _plain(facts: Any) -> Any:
    """Facts as JSON has them, with the text of each expression."""
    if dataclasses.is_dataclass(facts) and not isinstance(facts, type):
        return {f.name: _plain(getattr(facts, f.name)) for f in dataclasses.fields(facts)}
    if isinstance(facts, tuple):
        return [_plain(fact) for fact in facts]
    if facts is None or isinstance(facts, dict | str | int):
        return facts
    return int(facts) if facts.is_Integer else str(facts)


def _network(fields: dict[str, Any]) -> Network:
    return Network(
        name=fields["name"],
        inputs=tuple(_made(TensorSpec, spec, ("shape",)) for spec in fields["inputs"]),
        ops=tuple(_op(op) for op in fields["ops"]),
        parameters=tuple(_made(Parameter, p, ("shape",)) for p in fields["parameters"]),
        blocks=tuple(_block(block) for block in fields["blocks"]),
        notes=tuple(fields["notes"]),
        buffers=tuple(_made(Parameter, b, ("shape",)) for b in fields["buffers"]),
        versions=fields["versions"],
    )


def _op(fields: dict[str, Any]) -> Op:
    site = _site(fields["site"]) if fields["site"] else None
    macs = site.macs if site else fields["macs"]
    op: Op = _made(Op, {**fields, "site": site, "macs": macs}, ("in_shapes", "out_shapes", "macs"))
    return op


def _block(fields: dict[str, Any]) -> Block:
    block: Block = _made(Block, {**fields, "site": _site(fields["site"])}, ())
    return block


def _site(fields: dict[str, Any]) -> ConvSite:
    site: ConvSite = _made(ConvSite, fields, ("in_size", "out_size", "batch"))
    return site


def _made(kind: Callable[..., Any], fields: dict[str, Any], numbers: tuple[str, ...]) -> Any:
    """One record of facts: lists are tuples, and the text of a number is an expression."""
    return kind(**{name: _read(value, number=name in numbers) for name, value in fields.items()})


def _read(value: Any, *, number: bool) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_read(one, number=number) for one in value)
    return parse(value) if number and isinstance(value, str) else value


def dumped(form: SymbolicNetwork) -> str:
    """The JSON of a closed form."""
    return json.dumps(form.record(), separators=(",", ":"), ensure_ascii=False)


def write(form: SymbolicNetwork, path: Path) -> None:
    """Write a closed form in one step; the folder is made.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, gzip.compress(dumped(form).encode(), mtime=0), make_folder=True)


def read(path: Path) -> SymbolicNetwork:
    """Read a closed form.

    Raises:
        TraceFileError: it is damaged, foreign, or of another schema.
    """
    try:
        return SymbolicNetwork.of(json.loads(gzip.decompress(path.read_bytes())))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise TraceFileError(
            f"{path} is not a readable closed form ({type(error).__name__}: {error})",
            "delete it and run again",
        ) from error
