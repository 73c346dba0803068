"""VGG-16 with batch norm, as in tables I, III and V.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, configuration D.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from dualcost.nn.zoo.conv_norm import ConvNorm

Stages = tuple[tuple[int, ...], ...]

# Simonyan and Zisserman, table 1, column D: output channels, a max pool after each stage.
VGG16: Stages = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)

# Li et al., "Pruning filters for efficient ConvNets", ICLR 2017, table 2, VGG-16-pruned-A:
# half of the filters of the first layer and of the last six are gone.
VGG16_A: Stages = ((32, 64), (128, 128), (256,) * 3, (256,) * 3, (256,) * 3)


class VGG(nn.Module):
    """Stages of 3x3 convolutions, then linear layers; `features.stage4.conv2` is conv4_2."""

    def __init__(
        self,
        stages: Stages,
        classes: int,
        *,
        hidden: tuple[int, ...] = (),
        last_map: int = 1,
        conv_bias: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            stages: output channels of the convolutions, stage by stage.
            classes: outputs of the last linear layer.
            hidden: widths of the linear layers before it.
            last_map: side of the map after the last pool (1 for 32x32, 7 for 224x224).
            conv_bias: whether the convolutions have a bias beside their batch norm.
            dropout: probability of a zero after each hidden layer; 0 leaves the layer out.
        """
        super().__init__()
        self.features = nn.Sequential()
        M = 3
        for number, widths in enumerate(stages, start=1):
            stage = nn.Sequential()
            for position, N in enumerate(widths, start=1):
                layer = ConvNorm(M, N, 3, bias=conv_bias, activation=nn.ReLU())
                stage.add_module(f"conv{position}", layer)
                M = N
            stage.add_module("pool", nn.MaxPool2d(2))
            self.features.add_module(f"stage{number}", stage)

        self.head = nn.Sequential(OrderedDict(flatten=nn.Flatten()))
        width = M * last_map**2
        for position, hidden_width in enumerate(hidden, start=1):
            self.head.add_module(f"linear{position}", nn.Linear(width, hidden_width))
            self.head.add_module(f"relu{position}", nn.ReLU())
            if dropout:
                self.head.add_module(f"dropout{position}", nn.Dropout(dropout))
            width = hidden_width
        self.head.add_module("classifier", nn.Linear(width, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of a batch of images."""
        scores: torch.Tensor = self.head(self.features(images))
        return scores


def vgg16_cifar10() -> VGG:
    """VGG-16 with one linear layer; its convolutions have a bias."""
    return VGG(VGG16, 10, conv_bias=True)


def vgg16_cifar10_hetconv() -> VGG:
    """The same with one linear layer more, which the HetConv rows of Table I carry."""
    return VGG(VGG16, 10, hidden=(512,), conv_bias=True)


def vgg16a_cifar10() -> VGG:
    """Li et al.'s VGG-16-pruned-A, with their two linear layers."""
    return VGG(VGG16_A, 10, hidden=(512,), conv_bias=True)


def vgg16_cifar100() -> VGG:
    """VGG-16 at 32x32 with three linear layers."""
    return VGG(VGG16, 100, hidden=(4096, 4096), dropout=0.5)


def vgg16_imagenet() -> VGG:
    """VGG-16 at 224x224 with three linear layers."""
    return VGG(VGG16, 1000, hidden=(4096, 4096), last_map=7, dropout=0.5)
