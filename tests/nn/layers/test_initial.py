"""New kernels that start from old ones, against numpy's least squares and singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import floats
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.errors import ModelError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.nn.convert.convert import converted
from dualcost.nn.layers.initial import copy_kernel, dense_kernel
from dualcost.nn.layers.kinds import MODULES, Layer
from dualcost.rewrite.request import Request

SUMS = ("standard", "group", "het", "dual")
quickly = settings(deadline=None, max_examples=40)


def new_layer(kind: str, M: int, N: int, kernel: tuple[int, int], divisor: int) -> Layer:
    words: dict[str, Any] = {"bias": False, "dtype": torch.float64}
    if kind == "standard":
        return nn.Conv2d(M, N, kernel, **words)
    if KINDS[kind].letter:
        words[KINDS[kind].letter] = divisor
    return MODULES[kind](M, N, kernel, **words)


def old_layer(M: int, N: int, kernel: tuple[int, int], groups: int = 1, **words: Any) -> nn.Conv2d:
    return nn.Conv2d(M, N, kernel, groups=groups, dtype=torch.float64, **words)


def dense(old: nn.Conv2d) -> np.ndarray[Any, Any]:
    """(N, M, K, K), zero where a filter does not see: what the convolution does to unit images."""
    M, (height, width) = old.in_channels, old.kernel_size
    images = torch.eye(M * height * width, dtype=torch.float64).view(-1, M, height, width)
    with torch.no_grad():
        made = F.conv2d(images, old.weight, groups=old.groups)
    return made[:, :, 0, 0].T.reshape(-1, M, height, width).numpy()


def places(kind: str, M: int, N: int, kernel: tuple[int, int], divisor: int) -> list[int]:
    """For each weight of a sum, where it stands in the flat dense kernel, by the definition."""
    height, width = kernel
    found = []
    for part in KINDS[kind].parts:
        taps = [(i, j) for i in range(height) for j in range(width)]
        if not part.spatial:
            taps = [((height - 1) // 2, (width - 1) // 2)]
        found += [
            ((n * M + m) * height + i) * width + j
            for n in range(N)
            for m in range(M)
            if part.sight.sees(n, m, M, N, divisor)
            for i, j in taps
        ]
    return found


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, tuple[int, int], int]:
    divisor = draw(st.sampled_from([1, 2, 3]))
    M, N = (divisor * draw(st.integers(1, 2)) for _ in "MN")
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (2, 2), (3, 1), (2, 3)]))
    return M, N, kernel, divisor


@pytest.mark.parametrize("kind", SUMS)
@quickly
@given(chosen=sizes(), seed=st.integers(0, 9))
def test_a_sum_starts_from_the_solution_of_least_norm(
    kind: str, chosen: tuple[int, int, tuple[int, int], int], seed: int
) -> None:
    M, N, kernel, divisor = chosen
    torch.manual_seed(seed)
    old, layer = old_layer(M, N, kernel), new_layer(kind, M, N, kernel, divisor)
    start = copy_kernel(layer, old, "here")
    wanted = dense(old).ravel()
    found = places(kind, M, N, kernel, divisor)
    linear_map = np.zeros((wanted.size, len(found)))
    linear_map[found, range(len(found))] = 1
    solution, *_ = np.linalg.lstsq(linear_map, wanted, rcond=None)
    nearest = linear_map @ solution
    norm = sum(float((weight.detach() ** 2).sum()) for weight in layer.parameters())
    assert norm == pytest.approx(float(solution @ solution))
    assert start.distance == pytest.approx(float(np.linalg.norm(nearest - wanted)), abs=1e-12)
    assert start.norm == pytest.approx(float(np.linalg.norm(wanted)))
    image = torch.rand(2, M, 5, 4, dtype=torch.float64)
    expected = F.conv2d(image, torch.from_numpy(nearest.reshape(N, M, *kernel)))
    torch.testing.assert_close(layer(image), expected)


@quickly
@given(chosen=sizes(), seed=st.integers(0, 9))
def test_a_chain_starts_from_the_largest_singular_value_of_each_channel(
    chosen: tuple[int, int, tuple[int, int], int], seed: int
) -> None:
    M, N, kernel, _ = chosen
    torch.manual_seed(seed)
    old, layer = old_layer(M, N, kernel), new_layer("dsc", M, N, kernel, 1)
    start = copy_kernel(layer, old, "here")
    wanted = dense(old)
    lost, nearest = 0.0, np.zeros_like(wanted)
    for m in range(M):
        left, values, right = np.linalg.svd(wanted[:, m].reshape(N, -1), full_matrices=False)
        lost += float((values[1:] ** 2).sum())
        nearest[:, m] = (values[0] * np.outer(left[:, 0], right[0])).reshape(N, *kernel)
    assert start.distance == pytest.approx(lost**0.5, abs=1e-12)
    image = torch.rand(2, M, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(image), F.conv2d(image, torch.from_numpy(nearest)))


def of_its_kind(kind: str, kernel: Tensor) -> nn.Conv2d:
    """A plain convolution whose kernel is one that a layer of the kind has."""
    N, M, *taps = kernel.shape
    old = old_layer(M, N, (taps[0], taps[1]))
    old.weight = nn.Parameter(kernel)
    return old


@pytest.mark.parametrize("kind", [*SUMS, "dsc"])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 3)])
def test_a_kernel_that_the_kind_has_is_found_again(kind: str, kernel: tuple[int, int]) -> None:
    first, second = (new_layer(kind, 4, 8, kernel, 2) for _ in range(2))
    old = of_its_kind(kind, dense_kernel(first))
    start = copy_kernel(second, old, "here")
    assert start.distance == pytest.approx(0, abs=1e-12)
    assert start.relative == pytest.approx(0, abs=1e-12)
    image = torch.rand(1, 4, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(second(image), first(image))
    torch.testing.assert_close(second(image), old(image) - old.bias.view(-1, 1, 1))  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["group", "standard"])
def test_a_grouped_convolution_becomes_itself(kind: str) -> None:
    old = old_layer(8, 4, (3, 3), groups=4)
    layer = MODULES["group"](8, 4, 3, G=4, dtype=torch.float64)
    new: Layer = layer if kind == "group" else nn.Conv2d(8, 4, 3, dtype=torch.float64)
    assert copy_kernel(new, old, "here").distance == 0
    image = torch.rand(1, 8, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(new(image), old(image))  # with its bias


def test_a_bias_is_copied_where_both_have_one() -> None:
    old = old_layer(4, 4, (3, 3))
    layer = MODULES["het"](4, 4, 3, P=2, dtype=torch.float64)
    copy_kernel(layer, old, "here")
    assert torch.equal(layer.bias, old.bias)  # type: ignore[arg-type]
    bare = MODULES["het"](4, 4, 3, P=2, bias=False, dtype=torch.float64)
    copy_kernel(bare, old, "here")
    assert bare.bias is None


def test_half_precision_starts_from_the_rounded_solution() -> None:
    old = nn.Conv2d(4, 4, 3).half()
    layer = MODULES["dual"](4, 4, 3, G=2).half()
    start = copy_kernel(layer, old, "here")
    exact = MODULES["dual"](4, 4, 3, G=2).double()
    assert start.distance == pytest.approx(copy_kernel(exact, old, "").distance, rel=1e-2)
    assert {weight.dtype for weight in layer.parameters()} == {torch.float16}


def test_a_kernel_of_zeros_has_no_relative_distance() -> None:
    old = of_its_kind("standard", torch.zeros(4, 4, 3, 3, dtype=torch.float64))
    start = copy_kernel(new_layer("dsc", 4, 4, (3, 3), 1), old, "here")
    assert (start.distance, start.norm, start.relative) == (0, 0, 0)


def test_what_has_no_values_is_refused() -> None:
    with pytest.raises(ModelError, match="here has no weights to start from"):
        copy_kernel(
            new_layer("dual", 4, 4, (3, 3), 2), old_layer(4, 4, (3, 3), device="meta"), "here"
        )
    old = old_layer(4, 4, (3, 3))
    with torch.no_grad():
        old.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(ModelError, match="here has a weight that is not finite"):
        copy_kernel(new_layer("dsc", 4, 4, (3, 3), 1), old, "here")


def test_in_a_network_each_place_starts_from_its_own_and_shared_ones_once() -> None:
    shared = nn.Conv2d(8, 8, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), shared, nn.ReLU(), shared)
    done = converted(
        model, Request.parse("group", G=1, where="kernel>1"), [floats(1, 4, 9, 9)], init="copy"
    )
    assert [(start.path, start.why_fresh) for start in done.starts] == [("0", ""), ("1", "")]
    image = torch.rand(1, 4, 9, 9)
    torch.testing.assert_close(done.model(image), model(image))  # G = 1 can be all that was


def test_a_block_has_no_old_kernel_and_says_so() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 16, 1))
    done = converted(
        model, Request.parse("dual", G=2, where="separable"), [floats(1, 8, 6, 6)], init="copy"
    )
    assert [start.why_fresh for start in done.starts] == ["a separable block has no one kernel"]


def test_fresh_layers_say_that_it_was_asked_for_and_other_words_are_refused() -> None:
    model, asked = nn.Conv2d(4, 4, 3), Request.parse("dual", G=2, where="kernel>1")
    done = converted(model, asked, [floats(1, 4, 6, 6)])
    assert [start.why_fresh for start in done.starts] == ["as asked"]
    with pytest.raises(UsageError, match="no start is called 'cpoy'"):
        converted(model, asked, [floats(1, 4, 6, 6)], init="cpoy")
