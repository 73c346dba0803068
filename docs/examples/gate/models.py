"""The model of this example: a small network for 32×32 images."""

from torch import nn


def block(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A convolution, its norm and its activation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def small(width: int = 32) -> nn.Module:
    """Four blocks and a head for ten classes."""
    return nn.Sequential(
        block(3, width, 1),
        block(width, 2 * width, 2),
        block(2 * width, 4 * width, 2),
        block(4 * width, 4 * width, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )
