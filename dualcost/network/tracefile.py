"""A Network on disk: JSON lines, compressed, with a header that can be read alone.

Line 1 is the header (schema, name, inputs, versions, totals), line 2 the parameters, line 3 the
blocks, then one op a line: `zcat FILE.jsonl.gz` reads well. The totals in the header let a list
of all networks be printed without reading the ops, and guard against damage when they are.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

from dualcost.errors import TraceFileError
from dualcost.files import write_atomically
from dualcost.network.network import Block, Network, Op, Parameter, TensorSpec
from dualcost.network.site import ConvSite

SCHEMA = 1
SUFFIX = ".jsonl.gz"

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What the first line of a trace file says."""

    name: str
    inputs: tuple[TensorSpec, ...]
    macs: int
    params: int
    ops: int
    notes: tuple[str, ...]
    versions: dict[str, str]


def header_of(network: Network) -> Header:
    """What the first line of its file would say."""
    return Header(
        name=network.name,
        inputs=network.inputs,
        macs=network.macs,
        params=network.params,
        ops=len(network.ops),
        notes=network.notes,
        versions=network.versions,
    )


def lines(network: Network) -> Iterator[str]:
    """The lines of the file, without their ends."""
    yield _dump(
        {
            "schema": SCHEMA,
            "name": network.name,
            "inputs": [[spec.shape, spec.dtype, spec.name] for spec in network.inputs],
            "macs": network.macs,
            "params": network.params,
            "ops": len(network.ops),
            "notes": network.notes,
            "buffers": [astuple(buffer) for buffer in network.buffers],
            "versions": network.versions,
        }
    )
    yield _dump([astuple(parameter) for parameter in network.parameters])
    yield _dump([astuple(block) for block in network.blocks])
    for op in network.ops:
        yield _dump(astuple(op))


def write(network: Network, path: Path) -> None:
    """Write the file whole or not at all; two writers at once do not disturb each other.

    Raises:
        OutputError: the folder cannot be written.
    """
    text = "".join(f"{line}\n" for line in lines(network))
    # no time and no name in the gzip header: the same network gives the same bytes
    write_atomically(path, gzip.compress(text.encode(), mtime=0), make_folder=True)


def read_header(path: Path) -> Header:
    """Read the first line only.

    Raises:
        TraceFileError: the file is damaged, foreign or of another schema.
    """
    return _guarded(path, lambda file: _header(json.loads(file.readline()), path))


def read(path: Path) -> Network:
    """Read a network and check that it is whole.

    Raises:
        TraceFileError: the file is damaged, foreign or of another schema.
    """
    return _guarded(path, lambda file: _network(file, path))


def _guarded(path: Path, parse: Callable[[TextIO], T]) -> T:
    """Turn whatever goes wrong while a file is read into one clear error."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return parse(file)
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        ZeroDivisionError,
        RecursionError,
    ) as error:
        raise TraceFileError(
            f"{path} is not a readable trace file ({type(error).__name__}: {error})",
            "delete it and run again",
        ) from error


def _network(file: TextIO, path: Path) -> Network:
    first, parameters, blocks, *ops = (json.loads(line) for line in file)
    header = _header(first, path)
    network = Network(
        name=header.name,
        inputs=header.inputs,
        ops=tuple(_op(op) for op in ops),
        parameters=_parameters(parameters),
        blocks=tuple(_block(block) for block in blocks),
        notes=header.notes,
        buffers=_parameters(first["buffers"]),
        versions=header.versions,
    )
    found = (network.macs, network.params, len(network.ops))
    if found != (header.macs, header.params, header.ops):
        raise ValueError("its totals are not those of its header")
    _ = network.users  # raises KeyError if an op names a parameter that does not exist
    return network


def _header(facts: dict[str, Any], path: Path) -> Header:
    if facts["schema"] != SCHEMA:
        raise TraceFileError(
            f"{path} has schema {facts['schema']}; this dualcost reads {SCHEMA}",
            "delete it, or use the dualcost that wrote it",
        )
    return Header(
        name=facts["name"],
        inputs=tuple(TensorSpec(tuple(shape), d, name) for shape, d, name in facts["inputs"]),
        macs=facts["macs"],
        params=facts["params"],
        ops=facts["ops"],
        notes=tuple(facts["notes"]),
        versions=facts["versions"],
    )


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parameters(fields: list[Any]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, tuple(shape), *rest) for name, shape, *rest in fields)


def _site(fields: list[Any]) -> ConvSite:
    values: list[Any] = [tuple(field) if isinstance(field, list) else field for field in fields]
    return ConvSite(*values)


def _op(fields: list[Any]) -> Op:
    name, path, module, group, inputs, in_shapes, out_shapes, macs, parameters, site, *rest = fields
    operations, itemsize, memory = rest
    return Op(
        name,
        path,
        module,
        group,
        tuple(inputs),
        tuple(tuple(shape) for shape in in_shapes),
        tuple(tuple(shape) for shape in out_shapes),
        macs,
        tuple(parameters),
        _site(site) if site else None,
        operations,
        itemsize,
        tuple((nbytes, freed) for nbytes, freed in memory),
    )


def _block(fields: list[Any]) -> Block:
    kind, path, module, ops, site = fields
    return Block(kind, path, module, tuple(ops), _site(site))
