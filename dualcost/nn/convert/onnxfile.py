"""ONNX files: written by torch's exporter, and counted again from the file's own nodes.

The count knows nothing of torch: shapes are inferred by onnx, and a node's multiply-accumulates
follow from them. What no rule here names has none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dualcost.errors import ModelError
from dualcost.nn.trace.inputs import Example

Shape = tuple[int, ...]
LARGEST = 2**31 - 1  # bytes of one file: protobuf's limit


def write(path: Path, model: nn.Module, example: Example) -> None:
    """Export a model as it is: nothing folded, so that its parameters keep their names.

    Raises:
        ModelError: its weights are too large for one file.
        Exception: whatever torch's exporter raises.
    """
    nbytes = sum(p.numel() * p.element_size() for p in model.parameters())
    if nbytes > LARGEST:
        raise ModelError(
            f"{nbytes:,} bytes of weights do not fit into one ONNX file", "write a .pt2 file"
        )
    args, kwargs = example
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model, tuple(args), kwargs=kwargs, dynamo=True, optimize=False, verbose=False
        )
    assert program is not None  # it returns None only without dynamo
    path.write_bytes(program.model_proto.SerializeToString())


def count(path: Path, buffers: Collection[str]) -> tuple[int, int]:
    """MACs of a file's nodes, and elements of its initialisers that are no buffers.

    Raises:
        onnx.checker.ValidationError: it is no valid ONNX file.
    """
    import onnx

    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    shapes = _shapes(onnx.shape_inference.infer_shapes(model))
    macs = 0
    for node in model.graph.node:
        if node.op_type in MACS:
            read = [shapes[name] for name in node.input]
            macs += MACS[node.op_type](read, shapes[node.output[0]], _attributes(node))
    elements = {one.name: prod(one.dims) for one in model.graph.initializer}
    return macs, sum(numel for name, numel in elements.items() if name not in buffers)


def _shapes(model: Any) -> dict[str, Shape]:
    """The shape of every value of a graph, by its name."""
    graph = model.graph
    found = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        found[value.name] = tuple(int(dim.dim_value) for dim in dims)
    return found


def _attributes(node: Any) -> dict[str, int]:
    return {one.name: one.i for one in node.attribute}


def _convolution(read: Sequence[Shape], made: Shape, words: Mapping[str, int]) -> int:
    return prod(made) * prod(read[1][1:])  # a weight is (N, M / groups, K, …)


def _transposed(read: Sequence[Shape], made: Shape, words: Mapping[str, int]) -> int:
    return prod(read[0]) * prod(read[1][1:])  # a weight is (M, N / groups, K, …)


def _linear(read: Sequence[Shape], made: Shape, words: Mapping[str, int]) -> int:
    return prod(made) * read[0][0 if words.get("transA") else 1]


def _product(read: Sequence[Shape], made: Shape, words: Mapping[str, int]) -> int:
    return prod(made) * read[0][-1]


# Shapes of what a node reads, shape of what it makes, its integer attributes → MACs.
MACS: dict[str, Callable[[Sequence[Shape], Shape, Mapping[str, int]], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _linear,
    "MatMul": _product,
}
