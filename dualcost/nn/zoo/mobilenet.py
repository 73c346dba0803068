"""MobileNetV1 and MobileNetV2, as in tables II, IV and VI.

Sources: Howard et al., "MobileNets", arXiv 1704.04861, table 1; Sandler et al., "MobileNetV2:
inverted residuals and linear bottlenecks", CVPR 2018, table 2.
"""

from __future__ import annotations

import torch
from torch import nn

from dualcost.nn.zoo.conv_norm import ConvNorm

# Howard et al., table 1: (output channels, stride) of the thirteen depthwise-separable pairs.
V1_PAIRS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)

# Sandler et al., table 2: (expansion, output channels, blocks) of the seven stages, and the
# stride of each stage's first block at 32x32.
V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)
V2_STEM = 32
V2_LAST = 1280


class DepthwiseSeparable(nn.Sequential):
    """A depthwise 3x3 and a pointwise 1x1 convolution, each with batch norm and ReLU."""

    def __init__(self, M: int, N: int, stride: int, *, pointwise_bias: bool = False) -> None:
        """Build the pair; the stride is that of the depthwise convolution."""
        super().__init__()
        self.depthwise = ConvNorm(M, M, 3, stride=stride, groups=M, activation=nn.ReLU())
        self.pointwise = ConvNorm(M, N, 1, bias=pointwise_bias, activation=nn.ReLU())


class MobileNetV1(nn.Module):
    """A 3x3 stem, thirteen depthwise-separable pairs and a linear layer."""

    def __init__(self, classes: int, *, stem_stride: int = 1, pointwise_bias: bool = False) -> None:
        """Build the network.

        Args:
            classes: outputs of the linear layer.
            stem_stride: 1 for 32x32 images, 2 for 224x224.
            pointwise_bias: whether the 1x1 convolutions have a bias beside their batch norm. The
                parameters printed in tables II and IV have it, those of table VI do not.
        """
        super().__init__()
        M = 32
        self.stem = ConvNorm(3, M, 3, stride=stem_stride, activation=nn.ReLU())
        self.pairs = nn.Sequential()
        for N, stride in V1_PAIRS:
            self.pairs.append(DepthwiseSeparable(M, N, stride, pointwise_bias=pointwise_bias))
            M = N
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(M, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of a batch of images."""
        scores: torch.Tensor = self.head(self.pool(self.pairs(self.stem(images))).flatten(1))
        return scores


class InvertedResidual(nn.Module):
    """1x1 up, depthwise 3x3, 1x1 down without activation; a shortcut where the shape stays."""

    def __init__(self, M: int, N: int, stride: int, expansion: int) -> None:
        """Build the block. Expansion 1 keeps its 1x1 too, and every convolution has a bias."""
        super().__init__()
        width = expansion * M
        self.expand = ConvNorm(M, width, 1, bias=True, activation=nn.ReLU6())
        self.depthwise = ConvNorm(
            width, width, 3, stride=stride, groups=width, bias=True, activation=nn.ReLU6()
        )
        self.project = ConvNorm(width, N, 1, bias=True)
        self.has_shortcut = stride == 1 and M == N

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps of the next block."""
        projected: torch.Tensor = self.project(self.depthwise(self.expand(maps)))
        return maps + projected if self.has_shortcut else projected


class MobileNetV2(nn.Module):
    """MobileNetV2 for 32x32 images: a padded 1x1 stem, 34x34 maps, a 1x1 classifier."""

    def __init__(self, classes: int) -> None:
        """Build the stem, the seven stages and the classifier."""
        super().__init__()
        # The padding of a 1x1 convolution adds a frame: 32x32 images make 34x34 maps.
        self.stem = ConvNorm(3, V2_STEM, 1, padding=1, bias=True, activation=nn.ReLU6())
        self.stages = nn.Sequential()
        M = V2_STEM
        for number, (expansion, N, blocks, stride) in enumerate(V2_STAGES, start=1):
            stage = nn.Sequential()
            for position in range(blocks):
                stage.append(InvertedResidual(M, N, stride if position == 0 else 1, expansion))
                M = N
            self.stages.add_module(f"stage{number}", stage)
        self.last = ConvNorm(M, V2_LAST, 1, bias=True, activation=nn.ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Conv2d(V2_LAST, classes, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of a batch of images."""
        maps = self.last(self.stages(self.stem(images)))
        scores: torch.Tensor = self.head(self.pool(maps)).flatten(1)
        return scores


def mobilenetv1_cifar10() -> MobileNetV1:
    """MobileNetV1 at 32x32, 10 classes."""
    return MobileNetV1(10, pointwise_bias=True)


def mobilenetv1_cifar100() -> MobileNetV1:
    """MobileNetV1 at 32x32, 100 classes."""
    return MobileNetV1(100, pointwise_bias=True)


def mobilenetv1_imagenet() -> MobileNetV1:
    """MobileNetV1 at 224x224, 1000 classes."""
    return MobileNetV1(1000, stem_stride=2)


def mobilenetv2_cifar() -> MobileNetV2:
    """MobileNetV2 at 32x32, 100 classes: tables II and IV print the same costs."""
    return MobileNetV2(100)


def mobilenetv2_imagenet() -> nn.Module:
    """MobileNetV2 of torchvision, untrained."""
    from torchvision.models import mobilenet_v2

    model: nn.Module = mobilenet_v2(weights=None)
    return model
