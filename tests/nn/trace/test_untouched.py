"""A trace leaves the model, and the process, exactly as they were."""

from __future__ import annotations

import copy
import functools
import io
import logging
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.models import encoder, floats
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils.parametrizations import weight_norm

from dualcost.errors import ModelError
from dualcost.network.network import TensorSpec
from dualcost.nn.sources.build import build
from dualcost.nn.trace.trace import trace


class Busy(nn.Module):
    """Does everything to itself that a forward can do; fails at the end if it is told to."""

    def __init__(self, fails: bool = False, asks: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.BatchNorm2d(4).eval()
        self.drop = nn.Dropout(0.5)
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.plain = torch.zeros(3)  # a tensor that is neither parameter nor buffer
        self.seen: list[Tensor] = []
        self.fails, self.asks = fails, asks

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.drop(self.frozen(self.norm(self.conv(image))))
        x = x + torch.rand_like(x)
        self.steps += 1
        self.plain.add_(1)
        self.seen.append(x)
        self.last = x
        self.conv.padding = (1, 1)
        with torch.no_grad():
            self.conv.weight.zero_()
        if self.asks and x.sum().item() > 1e9:
            return image
        if self.fails:
            raise ArithmeticError("at the end")
        return x


def double(module: nn.Module, args: Any, result: Any) -> Any:
    return result * 2


def hooked() -> Busy:
    model = Busy()
    model.conv.register_forward_hook(double)
    model.conv.register_forward_pre_hook(lambda module, args: None)
    model.register_full_backward_hook(lambda *args: None)
    return model


def trained() -> nn.Module:
    """In train mode, with gradients."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    return model


def partly_frozen() -> nn.Module:
    model = Busy()
    model.conv.requires_grad_(False)
    return model


LEFT_ALONE: dict[str, tuple[Callable[[], nn.Module], TensorSpec]] = {
    "that changes itself": (Busy, floats(2, 3, 8, 8)),
    "that raises": (functools.partial(Busy, fails=True), floats(2, 3, 8, 8)),
    "that asks for values": (functools.partial(Busy, asks=True), floats(2, 3, 8, 8)),
    "that asks and raises": (functools.partial(Busy, fails=True, asks=True), floats(2, 3, 8, 8)),
    "with a wrong input": (Busy, floats(2, 5, 8, 8)),
    "with hooks": (hooked, floats(2, 3, 8, 8)),
    "after a training step": (trained, floats(2, 3, 8, 8)),
    "with frozen layers": (partly_frozen, floats(2, 3, 8, 8)),
    "with attention": (encoder, floats(2, 5, 8)),
    "with a recurrent layer": (lambda: nn.LSTM(3, 5), floats(7, 2, 3)),
    "with a parametrization": (lambda: weight_norm(nn.Conv2d(3, 4, 3)), floats(1, 3, 8, 8)),
    "without weights": (lambda: build(Busy, "Busy"), floats(2, 3, 8, 8)),
}

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
)
GLOBAL_HOOKS = [name for name in vars(torch_module) if name.startswith("_global_")]


def facts_of(tensor: Tensor) -> Any:
    """Which tensor it is, how often it was written to, and what it holds."""
    values = None if tensor.is_meta else tensor.detach().clone().tolist()
    grad = facts_of(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None
    return id(tensor), tensor._version, tensor.requires_grad, str(tensor.device), values, grad


def facts_in(value: Any) -> Any:
    if isinstance(value, Tensor):
        return facts_of(value)
    if isinstance(value, dict):
        return {key: facts_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [id(value), *map(facts_in, value)]
    return id(value), repr(value) if isinstance(value, int | float | str) else ""


def everything(model: nn.Module) -> Any:
    """All that a trace could have changed: every attribute of every module, and the process."""
    return {
        "modules": {
            name: {
                "type": type(module),
                "attributes": {
                    key: facts_in(value) for key, value in vars(module).items() if key not in HOOKS
                },
                "hooks": {
                    key: list(vars(module)[key].items()) for key in HOOKS if key in vars(module)
                },
            }
            for name, module in model.named_modules(remove_duplicate=False)
        },
        "state": {key: facts_of(value) for key, value in model.state_dict(keep_vars=True).items()},
        "training": {name: module.training for name, module in model.named_modules()},
        "global hooks": {name: repr(vars(torch_module)[name]) for name in GLOBAL_HOOKS},
        "random": (
            torch.get_rng_state().tolist(),
            random.getstate(),
            repr(np.random.get_state(legacy=False)),
        ),
        "modes": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            logging.getLogger("torch._subclasses.fake_tensor").disabled,
        ),
    }


@pytest.mark.parametrize("name", LEFT_ALONE)
@pytest.mark.parametrize("fast_attention", [True, False])
def test_a_model_is_left_exactly_as_it_was(name: str, fast_attention: bool) -> None:
    make, spec = LEFT_ALONE[name]
    model = make()
    torch.backends.mha.set_fastpath_enabled(fast_attention)
    try:
        before = everything(model)
        try:
            trace(model, [spec])
            ended = ""
        except ModelError as error:
            ended = error.message
        after = everything(model)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert after == before
    # the trace got as far as the name says
    fails = "raises" in name or "wrong" in name
    assert bool(ended) == fails
    assert ("at the end" in ended) == ("raises" in name)


def test_a_run_of_the_model_itself_would_show() -> None:
    """The test above can fail, in every part."""
    model = hooked()
    image = torch.rand(2, 3, 8, 8)
    before = everything(model)
    model(image)
    model.norm.eval()
    model.conv.register_forward_hook(double)
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    with torch.inference_mode(), torch.nn.modules.module.register_module_forward_hook(double):
        logger.disabled = True
        after = everything(model)
        logger.disabled = False
    assert [part for part in before if before[part] == after[part]] == []


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("asks", [True, False])
def test_a_traced_model_still_copies_and_pickles(fails: bool, asks: bool) -> None:
    model = Busy(fails, asks)
    expected = {key: value.clone() for key, value in model.state_dict().items()}
    try:
        trace(model, [floats(2, 3, 8, 8)])
    except ModelError:
        assert fails
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(file, weights_only=False),
    ):
        assert type(twin) is Busy
        assert twin.state_dict().keys() == expected.keys()
        for key, value in twin.state_dict().items():
            assert torch.equal(value, expected[key])


def test_batch_norm_in_train_mode_keeps_its_statistics() -> None:
    model = nn.BatchNorm2d(4).train()
    for _ in range(2):
        trace(model, [floats(2, 4, 8, 8)])
    assert model.training
    assert model.num_batches_tracked == 0
    assert torch.equal(model.running_mean, torch.zeros(4))  # type: ignore[arg-type]
    assert torch.equal(model.running_var, torch.ones(4))  # type: ignore[arg-type]


def test_two_traces_of_a_model_are_equal() -> None:
    model = Busy(asks=True)
    assert trace(model, [floats(2, 3, 8, 8)]) == trace(model, [floats(2, 3, 8, 8)])


def test_a_model_is_traced_in_eval_mode_even_if_it_overrides_eval() -> None:
    class Stubborn(nn.Dropout):
        def eval(self) -> Any:
            raise AssertionError("eval() was called")

    assert trace(nn.Sequential(Stubborn(0.5)), [floats(2, 3)]).ops == ()
