"""Other counters of multiply-accumulates: asked where they are installed, needed by nothing.

Each gives one total of what it takes for multiply-accumulates. They look at modules rather than
at ops: functional calls, attention and bare parameters may be missing in it, and batch norms or
biases may be in it. So a difference is shown, and is no verdict.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn


def installed() -> tuple[str, ...]:
    """The names of those that can be asked here."""
    return tuple(name for name in COUNTERS if importlib.util.find_spec(name))


def count(name: str, model: nn.Module, args: Sequence[Tensor]) -> int:
    """What one of them counts when the model runs on real tensors.

    Raises:
        Exception: whatever it or the model raises.
    """
    return int(COUNTERS[name](importlib.import_module(name), model, args))


def _ptflops(ptflops: Any, model: nn.Module, args: Sequence[Tensor]) -> Any:
    named = dict(zip(inspect.signature(model.forward).parameters, args, strict=False))
    macs, _ = ptflops.get_model_complexity_info(
        model,
        (1,),  # it wants a shape, and hands it to the function that knows better
        input_constructor=lambda shape: named,
        as_strings=False,
        print_per_layer_stat=False,
    )
    return macs


def _thop(thop: Any, model: nn.Module, args: Sequence[Tensor]) -> Any:
    macs, _ = thop.profile(model, tuple(args), verbose=False)
    return macs


def _torchinfo(torchinfo: Any, model: nn.Module, args: Sequence[Tensor]) -> Any:
    return torchinfo.summary(model, input_data=tuple(args), verbose=0).total_mult_adds


def _calflops(calflops: Any, model: nn.Module, args: Sequence[Tensor]) -> Any:
    _, macs, _ = calflops.calculate_flops(
        model, args=list(args), print_results=False, output_as_string=False
    )
    return macs


COUNTERS: dict[str, Callable[[Any, nn.Module, Sequence[Tensor]], Any]] = {
    "ptflops": _ptflops,
    "thop": _thop,
    "torchinfo": _torchinfo,
    "calflops": _calflops,
}
