"""Resizes images to symbolic sizes, where torch's own way makes integers of them first."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_interpolate = inspect.signature(torch.nn.functional.interpolate)


class Resizing(TorchFunctionMode):
    """While it is entered, `interpolate` calls the op that the ordinary trace sees, directly."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.nn.functional.interpolate:
            asked = _interpolate.bind(*args, **kwargs)
            asked.apply_defaults()
            resized = _resized(**asked.arguments)
            if resized is not None:
                return resized
        return func(*args, **kwargs)


def _resized(
    input: Tensor, size: Any, scale_factor: Any, mode: str, align_corners: Any, **others: Any
) -> Tensor | None:
    """An image of another size; None for a way of resizing that is not known here."""
    if input.dim() != 4 or any(others.values()) or mode not in ("nearest", "bilinear"):
        return None
    factors = scale_factor if isinstance(scale_factor, list | tuple) else [scale_factor] * 2
    extents = size if isinstance(size, list | tuple | torch.Size) else [size] * 2
    if size is None:
        if any(float(factor) != int(factor) for factor in factors):
            return None
        extents = [n * int(f) for n, f in zip(input.shape[2:], factors, strict=True)]
    aten = torch.ops.aten
    if mode == "nearest":
        return aten.upsample_nearest2d.default(input, extents)  # type: ignore[no-any-return]
    return aten.upsample_bilinear2d.default(  # type: ignore[no-any-return]
        input, extents, bool(align_corners)
    )
