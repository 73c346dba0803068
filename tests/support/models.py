"""Hand-made models: small modules whose work a test can count by hand, and a count by torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dualcost.network.network import Network, Op, TensorSpec


class Forward(nn.Module):
    """A forward written as a function of the module, with what it needs as attributes."""

    def __init__(self, function: Callable[..., Any], **attributes: Any) -> None:
        super().__init__()
        self.function = function
        for name, attribute in attributes.items():
            setattr(self, name, attribute)

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        return self.function(self, *args, **kwargs)


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.rand(shape))


def floats(*shape: int, name: str = "") -> TensorSpec:
    return TensorSpec(shape, name=name)


def integers(*shape: int, name: str = "") -> TensorSpec:
    return TensorSpec(shape, "int64", name)


def tensor_of(spec: TensorSpec, device: str = "cpu") -> Tensor:
    dtype = getattr(torch, spec.dtype)
    make = torch.rand if dtype.is_floating_point else torch.zeros
    return make(spec.shape, dtype=dtype, device=device)


def counted(model: nn.Module, *specs: TensorSpec, device: str = "cpu") -> int:
    """MACs by torch's own counter, which counts two FLOPs for each; the model is run on `device`.

    Attention runs unfused: the fused module is one op that the counter does not know.
    """
    args = [tensor_of(spec, device) for spec in specs if not spec.name]
    kwargs = {spec.name: tensor_of(spec, device) for spec in specs if spec.name}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.to(device).eval()(*args, **kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    flops = int(counter.get_total_flops())
    assert flops % 2 == 0
    return flops // 2


def numel(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def products(network: Network) -> list[Op]:
    """The ops that multiply and accumulate."""
    return [op for op in network.ops if op.macs]


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


def vision_transformer() -> nn.Module:
    """Of 64×64 images, in patches of 16×16: two layers of four heads."""
    from torchvision.models import VisionTransformer

    made: nn.Module = VisionTransformer(64, 16, 2, 4, 64, 128)
    return made


class Tied(nn.Module):
    """The embedding's table is the weight of the head; `spare` never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10)
        self.head.weight = self.table.weight
        self.spare = nn.Linear(2, 3)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        found: Tensor = self.head(self.table(ids))
        return found if mask is None else found * mask
