"""Counts agree with what torchvision publishes of its models, and with torch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.families import EXAMPLES, in_turn
from support.models import counted, floats, numel
from torchvision import models

from dualcost.costs.profile import profile
from dualcost.library import networks as library
from dualcost.network.network import NORM, Network, TensorSpec
from dualcost.nn.sources.build import build
from dualcost.nn.sources.sources import (
    CLIP_FRAMES,
    LARGE_IMAGE,
    from_torchvision,
    torchvision_names,
)
from dualcost.nn.trace.trace import trace

# weights.meta["_ops"] is GMACs with three decimals: convolutions, linear layers, matrix products
GIGA, LAST_DECIMAL = 10**9, 10**6

PUBLISHED = {
    f"{name} {weights.name}": (name, weights)
    for name in torchvision_names()
    for weights in models.get_model_weights(name)
}

# Weights that fit a model only with these options: the counts are those of that model, traced anew.
AUXILIARY_HEAD = {"aux_loss": True}  # segmentation weights come with the head for training
NO_AUXILIARY_HEADS = {"aux_logits": False}  # these come without
OPTIONS: dict[str, dict[str, Any]] = {
    "deeplabv3_mobilenet_v3_large COCO_WITH_VOC_LABELS_V1": AUXILIARY_HEAD,
    "deeplabv3_resnet50 COCO_WITH_VOC_LABELS_V1": AUXILIARY_HEAD,
    "deeplabv3_resnet101 COCO_WITH_VOC_LABELS_V1": AUXILIARY_HEAD,
    "fcn_resnet50 COCO_WITH_VOC_LABELS_V1": AUXILIARY_HEAD,
    "fcn_resnet101 COCO_WITH_VOC_LABELS_V1": AUXILIARY_HEAD,
    "googlenet IMAGENET1K_V1": NO_AUXILIARY_HEADS,
    "quantized_googlenet IMAGENET1K_FBGEMM_V1": NO_AUXILIARY_HEADS,
    # positions are embedded for the larger image
    "vit_b_16 IMAGENET1K_SWAG_E2E_V1": {"image_size": 384},
    "vit_l_16 IMAGENET1K_SWAG_E2E_V1": {"image_size": 512},
    "vit_h_14 IMAGENET1K_SWAG_E2E_V1": {"image_size": 518},
}

# Models whose builder takes BatchNorm2d without pretrained weights, and with them
# FrozenBatchNorm2d, which has buffers in the place of parameters: these are published.
FROZEN = {
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
}

# Models whose heads run once for every box found. Pretrained weights find other boxes than random
# ones: all that are kept or none, and some number of detections.
BOXES = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": (0, 150),
    "fasterrcnn_mobilenet_v3_large_fpn": (0, 1000),
    "fasterrcnn_resnet50_fpn": (0, 1000),
    "keypointrcnn_resnet50_fpn": (0, 1000),
    "maskrcnn_resnet50_fpn": (0, 1000),
}
MOST_DETECTIONS = 100


def published_input(name: str, weights: Any) -> tuple[TensorSpec, ...]:
    """What the numbers were measured with: what the preset makes of a large image."""
    preset, image = weights.transforms(), torch.zeros(LARGE_IMAGE, dtype=torch.uint8)
    if name in models.list_models(models.video):
        made = (preset(image.expand(CLIP_FRAMES, *LARGE_IMAGE)),)
    elif name in models.list_models(models.optical_flow):
        made = preset(image, image)
    else:
        made = (preset(image),)
    return tuple(floats(1, *tensor.shape) for tensor in made)


def network_of(entry: str) -> Network:
    """The packaged network, unless the weights are for another input or other options."""
    name, weights = PUBLISHED[entry]
    inputs = published_input(name, weights)
    packaged = library.load(f"torchvision:{name}")
    if entry not in OPTIONS and inputs == packaged.inputs:
        return packaged
    options: dict[str, Any] = {"weights": None} | OPTIONS.get(entry, {})
    if name in models.list_models(models.segmentation):
        options["weights_backbone"] = None
    return trace(build(lambda: models.get_model(name, **options), name), inputs)


def agrees(macs: int, weights: Any) -> bool:
    """They are the published ones, to the last decimal."""
    published = round(weights.meta["_ops"] * GIGA)
    return bool(2 * abs(macs - published) <= LAST_DECIMAL)


def by_boxes(network: Network) -> tuple[int, int, int]:
    """MACs outside the heads, of one box in the first head, and of one in the second."""
    whole = {"box": 0, "second": 0, "": 0}
    rows = {"box": 1, "second": 1}
    for op in network.ops:
        heads, _, part = op.path.partition(".")
        head = "" if heads != "roi_heads" else "box" if part.startswith("box_") else "second"
        whole[head] += op.macs
        if head and op.macs:
            rows[head] = op.in_shapes[0][0]
    return whole[""], whole["box"] // rows["box"], whole["second"] // rows["second"]


def batch_norms(network: Network) -> int:
    """Elements of the parameters that batch norms read."""
    names = {
        name
        for op in network.ops
        if op.group == NORM and op.module == "BatchNorm2d"
        for name in op.parameters
    }
    return sum(network.sizes[name] for name in names)


@pytest.mark.parametrize(
    "entry",
    [in_turn(entry, daily=name in EXAMPLES) for entry, (name, _) in PUBLISHED.items()],
)
def test_counts_are_those_that_torchvision_publishes(entry: str) -> None:
    name, weights = PUBLISHED[entry]
    network = network_of(entry)
    counts = profile(network).before
    assert agrees(counts.macs, weights) == (name not in BOXES)
    frozen = batch_norms(network) if name in FROZEN else 0
    assert counts.params - frozen == weights.meta["num_params"]


@pytest.mark.parametrize("entry", [e for e, (name, _) in PUBLISHED.items() if name in BOXES])
def test_where_the_macs_differ_a_number_of_boxes_explains_it(entry: str) -> None:
    name, weights = PUBLISHED[entry]
    outside, box, second = by_boxes(library.load(f"torchvision:{name}"))
    detections = range(MOST_DETECTIONS + 1 if second else 1)
    assert [
        (boxes, found)
        for boxes in BOXES[name]
        for found in detections
        if agrees(outside + boxes * box + found * second, weights)
    ]


def test_every_exception_is_needed() -> None:
    for entry in OPTIONS:
        name, weights = PUBLISHED[entry]
        plain = library.load(f"torchvision:{name}")
        assert plain.params != weights.meta["num_params"], entry
    for name in FROZEN:
        assert batch_norms(library.load(f"torchvision:{name}")) > 0, name
    assert set(torchvision_names()) >= FROZEN | set(BOXES)


def test_most_models_need_no_exception() -> None:
    excused = {PUBLISHED[entry][0] for entry in OPTIONS} | FROZEN | set(BOXES)
    assert len(torchvision_names()) - len(excused) >= 100


@pytest.mark.parametrize(
    "name",
    [
        in_turn("convnext_tiny", daily=False),
        in_turn("deeplabv3_mobilenet_v3_large", daily=False),
        in_turn("densenet121", daily=False),
        "efficientnet_b0",
        in_turn("googlenet", daily=False),
        in_turn("inception_v3", daily=False),
        in_turn("maxvit_t", daily=False),
        in_turn("mnasnet0_5", daily=False),
        "mobilenet_v2",
        in_turn("mobilenet_v3_large", daily=False),
        "regnet_y_400mf",  # reads values in its constructor: plain torch cannot build it on meta
        "resnet50",
        in_turn("resnext50_32x4d", daily=False),
        "shufflenet_v2_x1_0",
        in_turn("squeezenet1_1", daily=False),
        "swin_t",
        in_turn("swin_v2_t", daily=False),
        in_turn("vgg16", daily=False),
        "vit_b_16",
    ],
)
def test_counts_are_those_of_torchs_counter_to_the_last_digit(name: str) -> None:
    inputs = floats(1, 3, 224, 224)
    source = from_torchvision(name)
    network = source.trace((inputs,))
    # built by plain torch, and run for shapes only
    by_torch = source.factory().to("meta")
    assert network.macs == counted(by_torch, inputs, device="meta")
    assert network.params == numel(by_torch)


def test_the_counter_and_this_tracer_also_agree_on_real_tensors() -> None:
    model = models.shufflenet_v2_x0_5().eval()
    assert trace(model, [floats(2, 3, 64, 64)]).macs == counted(model, floats(2, 3, 64, 64))
