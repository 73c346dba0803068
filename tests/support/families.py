"""Of each family of torchvision's networks one, which stand for the others on most days."""

from __future__ import annotations

from typing import Any

import pytest

EXAMPLES = frozenset(
    (
        "deeplabv3_mobilenet_v3_large",
        "densenet121",
        "efficientnet_b0",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "googlenet",
        "inception_v3",
        "mobilenet_v2",
        "quantized_mobilenet_v2",
        "raft_small",
        "resnet50",
        "shufflenet_v2_x1_0",
        "swin_t",
        "vgg16",
        "vit_b_16",
    )
)


def in_turn(*case: Any, daily: bool) -> Any:
    """A case of a test that runs every day, or in the second tier."""
    return pytest.param(*case, marks=() if daily else pytest.mark.second_tier)
