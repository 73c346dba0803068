"""Layers of every kind, drawn."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from dualcost.kinds.kinds import KINDS
from dualcost.nn.layers.kinds import MODULES
from dualcost.nn.layers.recipe import RecipeConv2d

sides = st.integers(1, 4)


@st.composite
def layers(draw: st.DrawFn, name: str) -> tuple[RecipeConv2d, Tensor]:
    kind = KINDS[name]
    divisor = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
    M, N = (divisor * draw(st.integers(1, 3)) for _ in range(2))
    kernel = (draw(sides), draw(sides))
    dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    padding: Any = draw(
        st.one_of(st.sampled_from(["same", "valid"]), st.tuples(*[st.integers(0, 3)] * 2))
    )
    strides = st.just(1) if padding == "same" else st.integers(1, 3)
    # reflection asks for an image larger than its padding, every window for one tap inside
    least = [(side - 1) * gap + 1 for side, gap in zip(kernel, dilation, strict=True)]
    size = [max(side, 4) + draw(st.integers(0, 4)) for side in least]
    torch.manual_seed(draw(st.integers(0, 99)))
    letter: dict[str, Any] = {kind.letter: divisor} if kind.letter else {}
    if kind.implementations:
        letter["implementation"] = draw(st.sampled_from(kind.implementations))
    layer = MODULES[name](
        M,
        N,
        kernel,
        (draw(strides), draw(strides)),
        padding,
        dilation,
        bias=draw(st.booleans()),
        padding_mode=mode,
        dtype=torch.float64,
        **letter,
    )
    return layer, torch.randn(draw(st.integers(1, 2)), M, *size, dtype=torch.float64)
