"""YOLO-V3 on Darknet-53, as in Table VII.

Source: Redmon and Farhadi, "YOLOv3: an incremental improvement", arXiv 1804.02767, table 1 and
section 2.3.
"""

from __future__ import annotations

import torch
from torch import nn

from dualcost.nn.zoo.conv_norm import ConvNorm

SLOPE = 0.1  # of the leaky ReLU below zero
ANCHORS = 3  # boxes that a head predicts at each place
BOX = 5  # numbers per box beside the classes: x, y, width, height, objectness

# Redmon and Farhadi, table 1: (output channels, residual blocks) after each halving of the map.
DARKNET53 = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))


def conv_norm_leaky(M: int, N: int, kernel: int, stride: int = 1) -> ConvNorm:
    """The one layer YOLO-V3 is made of: convolution, batch norm, leaky ReLU."""
    return ConvNorm(M, N, kernel, stride=stride, activation=nn.LeakyReLU(SLOPE))


class Residual(nn.Module):
    """1x1 to half of the channels and 3x3 back, added to what came in."""

    def __init__(self, M: int) -> None:
        """Build both convolutions."""
        super().__init__()
        self.reduce = conv_norm_leaky(M, M // 2, 1)
        self.spatial = conv_norm_leaky(M // 2, M, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps of the next block."""
        residual: torch.Tensor = self.spatial(self.reduce(maps))
        return maps + residual


class Darknet53(nn.Module):
    """The backbone: its last three stages each feed a head."""

    def __init__(self) -> None:
        """Build the stem and the five stages."""
        super().__init__()
        M = 32
        self.stem = conv_norm_leaky(3, M, 3)
        self.stages = nn.ModuleList()
        for N, blocks in DARKNET53:
            halve = conv_norm_leaky(M, N, 3, stride=2)
            self.stages.append(nn.Sequential(halve, *(Residual(N) for _ in range(blocks))))
            M = N

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The maps at an eighth, a sixteenth and a thirty-second of the image."""
        maps = self.stem(images)
        every: list[torch.Tensor] = []
        for stage in self.stages:
            maps = stage(maps)
            every.append(maps)
        fine, middle, coarse = every[-3:]
        return fine, middle, coarse


class Head(nn.Module):
    """Five convolutions whose maps go on to the next head, and two that predict boxes."""

    def __init__(self, M: int, width: int, outputs: int) -> None:
        """Build the neck (1x1 and 3x3 in turn) and the output; only the last has a bias."""
        super().__init__()
        self.neck = nn.Sequential(
            conv_norm_leaky(M, width, 1),
            conv_norm_leaky(width, 2 * width, 3),
            conv_norm_leaky(2 * width, width, 1),
            conv_norm_leaky(width, 2 * width, 3),
            conv_norm_leaky(2 * width, width, 1),
        )
        self.spatial = conv_norm_leaky(width, 2 * width, 3)
        self.output = nn.Conv2d(2 * width, outputs, 1)

    def forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The predicted boxes, and the maps for the next head."""
        route = self.neck(maps)
        return self.output(self.spatial(route)), route


class Route(nn.Module):
    """1x1 to half of the channels, twice the size, beside the finer map of the backbone."""

    def __init__(self, M: int) -> None:
        """Build the 1x1 convolution."""
        super().__init__()
        self.reduce = conv_norm_leaky(M, M // 2, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, maps: torch.Tensor, finer: torch.Tensor) -> torch.Tensor:
        """The joined maps."""
        return torch.cat((self.upsample(self.reduce(maps)), finer), dim=1)


class YOLOv3(nn.Module):
    """Darknet-53 and three heads, from the coarsest map to the finest."""

    def __init__(self, classes: int) -> None:
        """Build the backbone, the heads and the routes between them."""
        super().__init__()
        outputs = ANCHORS * (BOX + classes)
        self.backbone = Darknet53()
        self.coarse_head = Head(1024, 512, outputs)
        self.middle_route = Route(512)
        self.middle_head = Head(256 + 512, 256, outputs)
        self.fine_route = Route(256)
        self.fine_head = Head(128 + 256, 128, outputs)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The three maps of predicted boxes, coarsest first."""
        fine, middle, coarse = self.backbone(images)
        coarse_boxes, route = self.coarse_head(coarse)
        middle_boxes, route = self.middle_head(self.middle_route(route, middle))
        fine_boxes, _ = self.fine_head(self.fine_route(route, fine))
        return coarse_boxes, middle_boxes, fine_boxes


def yolov3_voc() -> YOLOv3:
    """YOLO-V3 for the 20 classes of PASCAL VOC."""
    return YOLOv3(20)
