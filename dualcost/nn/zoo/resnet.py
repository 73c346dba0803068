"""ResNet-50, as in tables I, III and V.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016, table 1. The stride
of a block is on its 3x3 convolution ("version 1.5"), as in torchvision.
"""

from __future__ import annotations

import torch
from torch import nn

from dualcost.nn.zoo.conv_norm import ConvNorm

EXPANSION = 4  # He et al., figure 5: a block puts out four times the channels of its 3x3

# He et al., table 1, column 50-layer: (channels of the 3x3, blocks, stride of the first block).
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


class Bottleneck(nn.Module):
    """1x1 down to `width`, 3x3, 1x1 up to 4 `width`, beside a shortcut."""

    def __init__(self, M: int, width: int, stride: int) -> None:
        """Build the block; the shortcut is a 1x1 convolution where the shape changes."""
        super().__init__()
        N = EXPANSION * width
        self.reduce = ConvNorm(M, width, 1, activation=nn.ReLU())
        self.spatial = ConvNorm(width, width, 3, stride=stride, activation=nn.ReLU())
        self.expand = ConvNorm(width, N, 1)
        same_shape = stride == 1 and M == N
        self.shortcut = nn.Identity() if same_shape else ConvNorm(M, N, 1, stride=stride)
        self.relu = nn.ReLU()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps of the next block."""
        residual = self.expand(self.spatial(self.reduce(maps)))
        joined: torch.Tensor = self.relu(residual + self.shortcut(maps))
        return joined


class ResNet50(nn.Module):
    """ResNet-50 for 32x32 images: a 3x3 stem of stride 1, no max pool."""

    def __init__(self, classes: int) -> None:
        """Build the stem, the four stages and the linear layer."""
        super().__init__()
        self.stem = ConvNorm(3, 64, 3, activation=nn.ReLU())
        self.stages = nn.Sequential()
        M = 64
        for number, (width, blocks, stride) in enumerate(STAGES, start=1):
            stage = nn.Sequential()
            for position in range(blocks):
                stage.append(Bottleneck(M, width, stride if position == 0 else 1))
                M = EXPANSION * width
            self.stages.add_module(f"stage{number}", stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(M, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of a batch of images."""
        scores: torch.Tensor = self.head(self.pool(self.stages(self.stem(images))).flatten(1))
        return scores


def resnet50_cifar10() -> ResNet50:
    """ResNet-50 at 32x32, 10 classes."""
    return ResNet50(10)


def resnet50_cifar100() -> ResNet50:
    """ResNet-50 at 32x32, 100 classes."""
    return ResNet50(100)


def resnet50_imagenet() -> nn.Module:
    """ResNet-50 of torchvision, untrained."""
    from torchvision.models import resnet50

    model: nn.Module = resnet50(weights=None)
    return model
