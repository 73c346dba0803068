"""The blocks of known networks are those that their authors published."""

from __future__ import annotations

import pytest
from support.networks import of_kind

from dualcost.library import networks as library
from dualcost.network.network import INVERTED_RESIDUAL, SEPARABLE, Block

# Blocks of each kind: the depthwise convolutions, and how many of them are in an inverted residual.
COUNTED = {
    "zoo:mobilenetv1-cifar10": (13, 0),
    "zoo:mobilenetv1-imagenet": (13, 0),
    "zoo:mobilenetv2-cifar": (17, 17),
    "zoo:mobilenetv2-imagenet": (17, 17),
    "torchvision:mobilenet_v2": (17, 17),
    "torchvision:quantized_mobilenet_v2": (17, 17),
    # a gate stands between depthwise and pointwise in 8 of the 15, which is then no pair
    "torchvision:mobilenet_v3_large": (15 - 8, 15),
    "torchvision:mobilenet_v3_small": (11 - 9, 11),
    # the stem is a pair without an expansion
    "torchvision:mnasnet1_0": (17, 16),
    "torchvision:efficientnet_b0": (0, 16),
    # the fused ones (a 3x3 expansion) are none
    "torchvision:efficientnet_v2_s": (0, 30),
    # two branches in a class called InvertedResidual: 13 of stride 1, and 3 that have two pairs
    "torchvision:shufflenet_v2_x1_0": (13 + 3 * 2, 0),
    "torchvision:quantized_shufflenet_v2_x1_0": (13 + 3 * 2, 0),
    # its backbone gives away the inside of one
    "torchvision:ssdlite320_mobilenet_v3_large": (7 + 16, 14),
    "torchvision:resnet50": (0, 0),
    "torchvision:resnext50_32x4d": (0, 0),
    # depthwise, then a linear layer
    "torchvision:convnext_tiny": (0, 0),
    "torchvision:densenet121": (0, 0),
    "torchvision:vgg16": (0, 0),
    "torchvision:vit_b_16": (0, 0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_blocks_of_a_known_network_are_all_found(name: str) -> None:
    network = library.load(name)
    found = len(of_kind(network, SEPARABLE)), len(of_kind(network, INVERTED_RESIDUAL))
    assert found == COUNTED[name]


def sizes(blocks: list[Block]) -> list[tuple[int, int, int, int]]:
    """(K, M, N, stride) of what would stand for each block."""
    return [
        (block.site.kernel[0], block.site.M, block.site.N, block.site.stride[0]) for block in blocks
    ]


def stages(first: int, *rows: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """(K, M, N, stride) of each block of stages (K, N, repeats, stride of the first)."""
    listed, M = [], first
    for K, N, repeats, stride in rows:
        for index in range(repeats):
            listed.append((K, M, N, 1 if index else stride))
            M = N
    return listed


# MobileNets (Howard et al., 2017), Table 1; the last stride is 1, as the sizes there say
MOBILENET_V1 = stages(
    32,
    (3, 64, 1, 1),
    (3, 128, 1, 2),
    (3, 128, 1, 1),
    (3, 256, 1, 2),
    (3, 256, 1, 1),
    (3, 512, 6, 2),
    (3, 1024, 2, 2),
)


# MobileNetV2 (Sandler et al., 2018), Table 2
MOBILENET_V2 = stages(
    32,
    (3, 16, 1, 1),
    (3, 24, 2, 2),
    (3, 32, 3, 2),
    (3, 64, 4, 2),
    (3, 96, 3, 1),
    (3, 160, 3, 2),
    (3, 320, 1, 1),
)


# Searching for MobileNetV3 (Howard et al., 2019), Table 1
MOBILENET_V3_LARGE = stages(
    16, (3, 16, 1, 1), (3, 24, 2, 2), (5, 40, 3, 2), (3, 80, 4, 2), (3, 112, 2, 1), (5, 160, 3, 2)
)


# EfficientNet (Tan and Le, 2019), Table 1
EFFICIENTNET_B0 = stages(
    32,
    (3, 16, 1, 1),
    (3, 24, 2, 2),
    (5, 40, 2, 2),
    (3, 80, 3, 2),
    (5, 112, 3, 1),
    (5, 192, 4, 2),
    (3, 320, 1, 1),
)


@pytest.mark.parametrize(
    ("name", "kind", "published"),
    [
        ("zoo:mobilenetv1-imagenet", SEPARABLE, MOBILENET_V1),
        ("zoo:mobilenetv2-imagenet", INVERTED_RESIDUAL, MOBILENET_V2),
        ("torchvision:mobilenet_v2", INVERTED_RESIDUAL, MOBILENET_V2),
        ("torchvision:mobilenet_v3_large", INVERTED_RESIDUAL, MOBILENET_V3_LARGE),
        ("torchvision:efficientnet_b0", INVERTED_RESIDUAL, EFFICIENTNET_B0),
    ],
)
def test_what_would_stand_for_each_block_has_the_sizes_of_the_published_table(
    name: str, kind: str, published: list[tuple[int, int, int, int]]
) -> None:
    assert sizes(of_kind(library.load(name), kind)) == published


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0", "efficientnet_b0"]
)
def test_the_members_of_an_inverted_residual_are_its_modules_ops_but_for_its_frame(
    name: str,
) -> None:
    """By path, where the finder goes by data flow."""
    network = library.load(f"torchvision:{name}")
    for block in of_kind(network, INVERTED_RESIDUAL):
        below = [
            index
            for index, op in enumerate(network.ops)
            if op.path == block.path or op.path.startswith(f"{block.path}.")
        ]
        last = max(index for index in below if network.ops[index].site is not None)
        # the projection's norm, the shortcut's addition and the dropout come after it
        assert block.ops == tuple(index for index in below if index <= last)
        assert len({network.ops[index].name for index in below if index > last}) <= 3


@pytest.mark.parametrize("name", [name for name, counts in COUNTED.items() if any(counts)])
def test_a_block_starts_and_ends_with_a_convolution_and_has_one_depthwise(name: str) -> None:
    network = library.load(name)
    for block in network.blocks:
        convolutions = [i for i in block.ops if network.ops[i].site is not None]
        depthwise = [i for i in convolutions if network.ops[i].site.depthwise]  # type: ignore[union-attr]
        assert len(depthwise) == 1
        assert block.ops[0] == convolutions[0]
        assert block.ops[-1] == convolutions[-1]
        first, last = network.ops[convolutions[0]], network.ops[convolutions[-1]]
        assert (first.channels[0], last.channels[1]) == (block.site.M, block.site.N)
        assert first.site is not None
        assert last.site is not None
        assert block.site.in_size == first.site.in_size
        assert block.site.out_size == last.site.out_size
        assert block.site.groups == 1
