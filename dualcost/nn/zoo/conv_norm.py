"""One convolution, its batch norm and its activation: what the whole zoo is built from."""

from __future__ import annotations

from torch import nn


class ConvNorm(nn.Sequential):
    """A convolution of M input and N output channels, batch norm, then maybe an activation."""

    def __init__(
        self,
        M: int,
        N: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = False,
        activation: nn.Module | None = None,
    ) -> None:
        """Build the layers; the default padding keeps the size of the map at stride 1."""
        super().__init__()
        if padding is None:
            padding = kernel // 2
        self.conv = nn.Conv2d(M, N, kernel, stride, padding, groups=groups, bias=bias)
        self.norm = nn.BatchNorm2d(N)
        if activation is not None:
            self.activation = activation
