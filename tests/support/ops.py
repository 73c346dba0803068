"""Ops with their MACs by hand, one case each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from support.models import Forward, encoder, floats, integers, weight
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torchvision.ops import DeformConv2d

from dualcost.network.network import CONVOLUTION, EMBEDDING, LINEAR, MATMUL, TensorSpec


@dataclass(frozen=True)
class Case:
    """A model, its inputs, and its MACs with their arithmetic, for each group of ops."""

    make: Callable[[], nn.Module]
    inputs: tuple[TensorSpec, ...]
    macs: dict[str, int]
    # where torch's counter knows the op: on real tensors, on the meta device only, or nowhere
    witness: str = "cpu"


def functional(function: Callable[..., Any], **shapes: tuple[int, ...]) -> Callable[[], nn.Module]:
    return lambda: Forward(function, **{name: weight(*shape) for name, shape in shapes.items()})


class ComputedKernel(nn.Module):
    """A convolution whose weight is the result of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.make = nn.Linear(3, 5 * 3 * 3 * 3)

    def forward(self, image: Tensor) -> Tensor:
        kernel: Tensor = self.make(image.mean((0, 2, 3)))
        return F.conv2d(image, kernel.view(5, 3, 3, 3))


class Deformed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Conv2d(4, 2 * 3 * 3, 3, padding=1)
        self.conv = DeformConv2d(4, 6, 3, padding=1, groups=2)

    def forward(self, image: Tensor) -> Any:
        return self.conv(image, self.offset(image))


# self-attention of (2, 5, 8) with 2 heads of 4: scores and values
ATTENTION = 2 * 2 * 5 * 5 * (4 + 4)


ATTENTION_PROJECTIONS = 2 * 5 * 8 * (3 * 8 + 8)


CASES = {
    "linear": Case(lambda: nn.Linear(4, 6), (floats(2, 4),), {LINEAR: 2 * 4 * 6}),
    "linear on a vector": Case(
        lambda: nn.Linear(4, 6, bias=False), (floats(4),), {LINEAR: 4 * 6}
    ),
    "linear at every position": Case(
        lambda: nn.Linear(4, 6), (floats(2, 5, 4),), {LINEAR: 2 * 5 * 4 * 6}
    ),
    "linear at every pixel, without bias": Case(
        lambda: nn.Linear(4, 6, bias=False), (floats(2, 5, 7, 4),), {LINEAR: 2 * 5 * 7 * 4 * 6}
    ),
    "functional linear": Case(
        functional(lambda self, x: F.linear(x, self.w, self.b), w=(6, 4), b=(6,)),
        (floats(2, 4),),
        {LINEAR: 2 * 4 * 6},
    ),
    "a matrix product with a parameter": Case(
        functional(lambda self, x: x @ self.w.T + self.b, w=(6, 4), b=(6,)),
        (floats(2, 4),),
        {LINEAR: 2 * 4 * 6},
    ),
    "a matrix product of activations": Case(
        functional(lambda self, x, y: x @ y), (floats(2, 4), floats(4, 3)), {MATMUL: 2 * 4 * 3}
    ),
    "einsum with a parameter": Case(
        functional(lambda self, x: torch.einsum("bij,jk->bik", x, self.w), w=(4, 5)),
        (floats(2, 3, 4),),
        {LINEAR: 2 * 3 * 4 * 5},
    ),
    "einsum of activations": Case(
        functional(lambda self, x: torch.einsum("bhid,bhjd->bhij", x, x)),
        (floats(2, 3, 4, 5),),
        {MATMUL: 2 * 3 * 4 * 4 * 5},
    ),
    "tensordot": Case(
        functional(lambda self, x: torch.tensordot(x, self.w, dims=2), w=(4, 5, 6)),
        (floats(3, 4, 5),),
        {LINEAR: 3 * 4 * 5 * 6},
    ),
    "baddbmm": Case(
        functional(lambda self, x, y: torch.baddbmm(x, x, y)),
        (floats(2, 4, 4), floats(2, 4, 4)),
        {MATMUL: 2 * 4 * 4 * 4},
    ),
    "addbmm": Case(
        functional(lambda self, x, y, z: torch.addbmm(x, y, z)),
        (floats(3, 5), floats(2, 3, 4), floats(2, 4, 5)),
        {MATMUL: 2 * 3 * 4 * 5},
        witness="",
    ),
    "a matrix and a vector": Case(
        functional(lambda self, x: x.mv(self.w), w=(5,)), (floats(2, 5),), {LINEAR: 2 * 5}, ""
    ),
    "two vectors": Case(
        functional(lambda self, x: x.dot(self.w) + torch.vdot(x, x), w=(5,)),
        (floats(5),),
        {LINEAR: 5, MATMUL: 5},
        witness="",
    ),
    "bilinear": Case(
        lambda: nn.Bilinear(3, 4, 5),
        (floats(7, 2, 3), floats(7, 2, 4)),
        {LINEAR: 7 * 2 * 3 * 4 * 5},
        witness="",
    ),
    "attention between two sequences": Case(
        # queries of 5, keys of 7, with 2 heads of 4
        lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        (floats(2, 5, 8), floats(2, 7, 8), floats(2, 7, 8)),
        {
            LINEAR: 2 * 8 * 8 * (5 + 7 + 7 + 5),
            MATMUL: 2 * 2 * 5 * 7 * (4 + 4),
        },
    ),
    "an encoder layer, which torch would fuse in eval mode": Case(
        encoder,
        (floats(2, 5, 8),),
        {LINEAR: ATTENTION_PROJECTIONS + 2 * 5 * 2 * 8 * 16, MATMUL: ATTENTION},
    ),
    "scaled_dot_product_attention": Case(
        functional(lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v)),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 8)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 8)},
    ),
    "fused attention to values of another width": Case(
        functional(
            lambda self, q, k, v: torch.ops.aten._scaled_dot_product_efficient_attention(
                q, k, v, None, False
            )[0]
        ),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 6)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 6)},
        witness="meta",
    ),
    "attention to values of another width": Case(
        functional(lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v)),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 6)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 6)},
    ),
    "LSTM": Case(
        # 4 gates of 5, from an input of 3 and a state of 5, at 7 steps
        lambda: nn.LSTM(3, 5, batch_first=True),
        (floats(2, 7, 3),),
        {LINEAR: 2 * 7 * 4 * 5 * (3 + 5)},
        witness="meta",
    ),
    "LSTM of two layers, in both directions": Case(
        lambda: nn.LSTM(3, 5, 2, bidirectional=True),
        (floats(7, 2, 3),),
        {LINEAR: 2 * 7 * 2 * 4 * 5 * ((3 + 5) + (2 * 5 + 5))},
        witness="meta",
    ),
    "LSTM with a projection": Case(
        # the state is projected from 5 to 4
        lambda: nn.LSTM(3, 5, proj_size=4),
        (floats(7, 2, 3),),
        {LINEAR: 2 * 7 * (4 * 5 * (3 + 4) + 5 * 4)},
    ),
    "GRU": Case(
        # 3 gates of 5
        lambda: nn.GRU(3, 5, batch_first=True),
        (floats(2, 7, 3),),
        {LINEAR: 2 * 7 * 3 * 5 * (3 + 5)},
    ),
    "GRU cell": Case(lambda: nn.GRUCell(3, 5), (floats(2, 3),), {LINEAR: 2 * 3 * 5 * (3 + 5)}),
    "weight norm": Case(
        lambda: weight_norm(nn.Conv2d(3, 5, 3)),
        (floats(1, 3, 8, 8),),
        {CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "spectral norm": Case(
        # u · W v, then the convolution: torch's counter knows neither of the first two
        lambda: spectral_norm(nn.Conv2d(3, 5, 3)),
        (floats(1, 3, 8, 8),),
        {LINEAR: 5 * 3 * 3 * 3, MATMUL: 5, CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
        witness="",
    ),
    "a kernel made of a parameter": Case(
        functional(lambda self, x: F.conv2d(x, self.w - self.w.mean()), w=(5, 3, 3, 3)),
        (floats(1, 3, 8, 8),),
        {CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "a kernel made by a layer": Case(
        ComputedKernel,
        (floats(1, 3, 8, 8),),
        {LINEAR: 3 * 5 * 3 * 3 * 3, CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "a deformable convolution": Case(
        Deformed,
        (floats(2, 4, 8, 8),),
        {CONVOLUTION: 2 * 8 * 8 * 3 * 3 * 4 * (2 * 3 * 3) + 2 * 8 * 8 * 3 * 3 * (4 // 2) * 6},
        witness="",
    ),
    "an embedding looks up": Case(
        lambda: nn.Embedding(10, 4), (integers(2, 5),), {EMBEDDING: 0}
    ),
    "an outer product scales": Case(
        functional(lambda self, x: torch.outer(x, self.w), w=(5,)), (floats(3,),), {}
    ),
}  # fmt: skip  # the arithmetic stays beside what it is of
