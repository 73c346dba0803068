"""Elementary operations besides multiply-accumulates, for the convention that counts all.

One addition, multiplication, division, comparison or function value (exp, tanh, erf, …) is one
operation. Most rules are a number per element of the result; the others read the arguments. The
additions of a bias and of a softmax inside attention are counted here too.

Whatever has a `shape` may stand for a tensor. Which op has which rule stands in `ops.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2, prod
from typing import Any

Arguments = dict[str, Any]  # by the names of the op's schema
Rule = Callable[[Arguments, Any], int]  # the arguments, and the result → operations

SOFTMAX = 5  # maximum, subtract, exp, sum, divide


def elements(value: Any) -> int:
    """Elements of a tensor, or of the first in a list; 0 for what is none."""
    while isinstance(value, list | tuple):
        value = value[0] if value else None
    return int(prod(value.shape)) if hasattr(value, "shape") else 0


def each(number: int) -> Rule:
    """So many for each element of the first result."""
    return lambda arguments, result: number * elements(result)


def each_read(number: int) -> Rule:
    """So many for each element of the first argument that is a tensor."""
    return lambda arguments, result: number * _read(arguments)


def ordered(arguments: Arguments, result: Any) -> int:
    """Sorting n elements takes n·log₂(n) comparisons."""
    read = _read(arguments)
    return read * ceil(log2(max(2, read)))


def bias(argument: str) -> Rule:
    """One addition for each element of the result, if there is something to add."""
    return lambda arguments, result: elements(result) if arguments.get(argument) is not None else 0


def window(least: int) -> Rule:
    """A pool: a window of taps for each element of the result, less `least` operations."""

    def counted(arguments: Arguments, result: Any) -> int:
        taps = prod(int(size) for size in arguments["kernel_size"])
        if len(arguments["kernel_size"]) == 1:  # one number stands for every side
            taps **= len(arguments["self"].shape) - 2
        return (taps - least) * elements(result)

    return counted


def normalised(arguments: Arguments, result: Any) -> int:
    """Mean, variance (two) and their use (two) for each element; two more with weights."""
    return elements(result) * (7 if arguments.get("weight") is not None else 5)


def batch_normalised(arguments: Arguments, result: Any) -> int:
    """In eval mode one product and one addition, folded from the statistics.

    With the statistics of the batch itself, as an instance norm has them, it is a norm like others.
    """
    return normalised(arguments, result) if arguments.get("training") else 2 * elements(result)


def scores(arguments: Arguments, result: Any) -> int:
    """Attention: the scaling and the softmax of every score."""
    query, key = arguments["query"], arguments["key"]
    return int((1 + SOFTMAX) * prod(query.shape[:-1]) * key.shape[-2])


def recurrent(arguments: Arguments, result: Any) -> int:
    """A step of an LSTM: 8 biases, 3 sigmoids, 2 tanh, 4 products and sums for each unit.

    A GRU has 6 biases, 2 sigmoids, 1 tanh and 5; a plain RNN 2 biases and a function.
    """
    gates = arguments["weight0"].shape[0] // arguments["hidden_size"]
    per_unit = {4: 8 + 3 * 4 + 2 + 4, 3: 6 + 2 * 4 + 1 + 5, 1: 2 + 1}[gates]
    return int(per_unit * prod(arguments["input"].shape[:2]) * arguments["hidden_size"])


def aligned(arguments: Arguments, result: Any) -> int:
    """roi_align: bilinear samples, averaged; a ratio of 0 is adaptive and taken as 2."""
    samples = (arguments["sampling_ratio"] if arguments["sampling_ratio"] > 0 else 2) ** 2
    return 8 * samples * elements(result)


def pairs(arguments: Arguments, result: Any) -> int:
    """nms: the overlap of every pair of boxes takes about a dozen operations."""
    boxes = arguments["dets"].shape[0]
    return int(12 * boxes * (boxes - 1) // 2)


def _read(arguments: Arguments) -> int:
    return elements(next((one for one in arguments.values() if hasattr(one, "shape")), None))
