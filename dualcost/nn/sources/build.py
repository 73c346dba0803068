"""Builds models without their weights: memory is asked for on the meta device only.

Redirecting the few functions that allocate, rather than the whole default device, also builds
models that compute with small real tensors in their constructors (torchvision's RegNets). The whole
default device is redirected where that fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from dualcost.errors import ModelError
from dualcost.nn.trace.trace import SEED

_ALLOCATORS = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.empty_strided}
)


class _OnMeta(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _ALLOCATORS and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def build(factory: Callable[[], Any], name: str, *, weights: bool = False) -> nn.Module:
    """Call a factory and return the model it makes, without weights unless they are asked for.

    A factory that does not work without weights is called once more with them.

    Raises:
        ModelError: the factory raises, or makes something that is not a module.
    """
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        if not weights:
            # some mix what is drawn with small real tensors: for them, all of it is on meta
            for on_meta in (_OnMeta(), torch.device("meta")):
                # whatever goes wrong here: the real attempt below reports it
                with suppress(Exception, SystemExit), on_meta:
                    model = _module(factory(), name)
                    # a lazy layer would make its weights on the meta device later
                    if not any(is_lazy(tensor) for tensor in model.parameters()):
                        return model
        return made(factory, name)


def made(factory: Callable[[], Any], name: str) -> nn.Module:
    """Call a factory as it is: with weights, drawn from the random numbers of the caller.

    Raises:
        ModelError: the factory raises, or makes something that is not a module.
    """
    try:
        return _module(factory(), name)
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{name} cannot be built: {type(error).__name__}: {error}",
            "its arguments are those in the parentheses behind it, file.py:Net(width=32)",
        ) from error


def _module(made: Any, name: str) -> nn.Module:
    if isinstance(made, nn.Module):
        return made
    raise ModelError(
        f"{name} makes a {type(made).__name__}, not a torch.nn.Module",
        "name a class or a function that returns a module",
    )
