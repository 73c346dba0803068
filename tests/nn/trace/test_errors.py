"""A model that needs values, or does not run, says so in the user's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.models import Forward, Tied, floats, numel, products, weight
from torch import Tensor, nn

from dualcost.errors import ModelError
from dualcost.network.network import TensorSpec
from dualcost.nn.trace.trace import ValuesNeededError, trace

# --- models that need values ----------------------------------------------------------------------


@torch.library.custom_op("dualcost_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    """Torch is not told what shape it returns."""
    return x * 2


ASKING: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a branch": (lambda x: x if x.sum() > 0 else -x, "item()"),
    "item": (lambda x: x * x.max().item(), "item()"),
    "a list": (lambda x: torch.tensor(x.tolist()), "item()"),
    "nonzero": (lambda x: torch.nonzero(x), "nonzero"),
    "a mask": (lambda x: x[x > 0], "nonzero"),
    "numpy": (lambda x: torch.from_numpy(x.numpy()), "numpy()"),
    "a custom op": (twice, "a custom op"),
}


@pytest.mark.parametrize("name", ASKING)
def test_a_model_that_needs_values_runs_on_real_tensors_and_says_so(name: str) -> None:
    ask, asked = ASKING[name]
    model = Forward(lambda self, x: ask(self.conv(x)), conv=nn.Conv2d(3, 4, 3))
    network = trace(model, [floats(1, 3, 8, 8)])
    assert network.notes == (
        f"run on real tensors with random inputs, because {asked} needs values",
    )
    assert network.macs == 6 * 6 * 3 * 3 * 3 * 4
    assert network.params == numel(model)


@pytest.mark.parametrize("name", ASKING)
def test_a_model_that_needs_values_and_has_none_says_so(name: str) -> None:
    ask, asked = ASKING[name]
    model = Forward(lambda self, x: ask(self.conv(x)), conv=nn.Conv2d(3, 4, 3, device="meta"))
    with pytest.raises(ValuesNeededError, match="needs values") as caught:
        trace(model, [floats(1, 3, 8, 8)])
    assert caught.value.message.startswith(asked)


def test_a_model_that_needs_no_values_has_no_notes() -> None:
    assert trace(nn.Linear(3, 4), [floats(1, 3)]).notes == ()


# --- errors ---------------------------------------------------------------------------------------


def stack() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(99, 5))


def complain(self: Any, x: Tensor) -> Tensor:
    raise AssertionError(f"expected a number, got {x} and {[x]}")


MISTAKES: dict[str, tuple[nn.Module, tuple[TensorSpec, ...], tuple[str, ...]]] = {
    "channels": (stack(), (floats(1, 5, 8, 8),), ("in 0 (Conv2d)", "3 channels, but got 5")),
    "rank": (stack(), (floats(3, 8),), ("3×8", "in 0 (Conv2d)", "[3, 8]")),
    "size": (stack(), (floats(1, 3, 8, 8),), ("in 3 (Linear)", "[1, 144]", "[99, 5]")),
    "small": (stack(), (floats(1, 3, 2, 2),), ("in 0 (Conv2d)", "(2 x 2)")),
    "missing": (nn.Bilinear(3, 4, 5), (floats(1, 3),), ("missing 1", "'input2'")),
    "surplus": (stack(), (floats(1, 3, 8, 8), floats(1)), ("takes 2 positional arguments",)),
    "keyword": (stack(), (floats(1, 3, 8, 8, name="img"),), ("img=1×3×8×8", "argument 'img'")),
    "index": (Tied(), (floats(2, 5),), ("in table (Embedding)", "Long")),
    "own": (Forward(complain), (floats(2),), ("AssertionError", "got a tensor of (2,)")),
    "list": (
        Forward(lambda self, x: F.conv2d((x, x), self.w), w=weight(1, 1, 3, 3)),  # type: ignore[call-overload]
        (floats(2),),
        ("got (tuple, Tensor)",),
    ),
    "silent": (Forward(lambda self, x: next(iter(()))), (floats(2),), ("StopIteration",)),
    "device": (Forward(lambda self, x: x + x.to("meta")), (floats(2),), ("same device",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_forward_that_raises_is_told_in_one_line_of_the_users_words(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model, inputs, words = MISTAKES[name]
    with pytest.raises(ModelError) as caught:
        trace(model, inputs, "net")
    message, hint = caught.value.message, caught.value.hint
    assert message.startswith(f"net does not run on {', '.join(map(str, inputs))}: ")
    for word in words:
        assert word in message
    assert "Fake" not in message
    assert "\n" not in message
    assert len(message) < 500
    assert hint.startswith("its forward takes (")
    assert "--input" in hint
    # torch's own log of the failure is for its developers
    assert capfd.readouterr() == ("", "")


def test_the_hint_shows_what_the_forward_takes() -> None:
    with pytest.raises(ModelError) as caught:
        trace(Tied(), [])
    assert "(ids: 'Tensor', mask: 'Tensor | None' = None)" in caught.value.hint


@pytest.mark.parametrize(
    ("weights", "given_dtype"), [("float16", "float32"), ("float32", "float16")]
)
def test_an_input_of_another_dtype_is_told_how_to_be_written(
    weights: str, given_dtype: str
) -> None:
    model = nn.Conv2d(3, 4, 3).to(getattr(torch, weights))
    with pytest.raises(ModelError) as caught:
        trace(model, [TensorSpec((1, 3, 8, 8), given_dtype)])
    assert f"such as 1x3x8x8:{weights}" in caught.value.hint
    # and what it says works
    assert trace(model, [TensorSpec.parse(f"1x3x8x8:{weights}")]).macs == 6 * 6 * 3 * 3 * 3 * 4


@pytest.mark.parametrize("dtype", ["int99", "nn", "__class__", "qint8", "quint4x2"])
def test_a_dtype_that_no_input_can_have_is_refused(dtype: str) -> None:
    with pytest.raises(ModelError, match=dtype) as caught:
        trace(nn.Linear(3, 4), [TensorSpec((1, 3), dtype)])
    assert "float32" in caught.value.hint


def test_a_model_that_cannot_be_copied_says_what_stands_in_the_way() -> None:
    model = Forward(lambda self, x: x, numbers=(number for number in range(3)))
    with pytest.raises(ModelError, match="cannot be copied: TypeError: cannot pickle 'generator'"):
        trace(model, [floats(1)], "net")


def test_an_error_that_the_forward_handles_is_not_the_one_that_is_told() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(5, 6)

        def forward(self, x: Tensor) -> Any:
            try:
                self.first(x)
            except RuntimeError:
                return self.second(x)

    assert [op.path for op in products(trace(Careful(), [floats(1, 5)]))] == ["second"]
    with pytest.raises(ModelError, match=r"in second \(Linear\)"):
        trace(Careful(), [floats(1, 7)])
