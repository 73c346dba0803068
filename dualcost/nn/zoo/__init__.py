"""The paper's networks before anything is replaced, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from dualcost.nn.zoo import mobilenet, resnet, vgg, yolov3

CIFAR = (1, 3, 32, 32)
IMAGENET = (1, 3, 224, 224)
VOC = (1, 3, 416, 416)


@dataclass(frozen=True)
class ZooEntry:
    """How to build a network, the shape of its input (batch 1), and what it is."""

    build: Callable[[], nn.Module]
    input: tuple[int, ...]
    about: str


ZOO: dict[str, ZooEntry] = {
    "vgg16-cifar10": ZooEntry(
        vgg.vgg16_cifar10,
        CIFAR,
        "VGG-16 with batch norm, biased convolutions and one linear layer (Table I).",
    ),
    "vgg16-cifar10-hetconv": ZooEntry(
        vgg.vgg16_cifar10_hetconv,
        CIFAR,
        "VGG-16 with a second linear layer, 512-512, under the HetConv rows of Table I.",
    ),
    "vgg16a-cifar10": ZooEntry(
        vgg.vgg16a_cifar10,
        CIFAR,
        "VGG-16-pruned-A of Li et al., the network behind the row Li-pruned of Table I.",
    ),
    "vgg16-cifar100": ZooEntry(
        vgg.vgg16_cifar100,
        CIFAR,
        "VGG-16 with batch norm and three linear layers (Table III).",
    ),
    "vgg16-imagenet": ZooEntry(
        vgg.vgg16_imagenet,
        IMAGENET,
        "VGG-16 with batch norm and three linear layers (Table V).",
    ),
    "resnet50-cifar10": ZooEntry(
        resnet.resnet50_cifar10,
        CIFAR,
        "ResNet-50 with a 3x3 stem of stride 1 and no max pool (Table I).",
    ),
    "resnet50-cifar100": ZooEntry(
        resnet.resnet50_cifar100,
        CIFAR,
        "ResNet-50 with a 3x3 stem of stride 1 and no max pool (Table III).",
    ),
    "resnet50-imagenet": ZooEntry(
        resnet.resnet50_imagenet,
        IMAGENET,
        "ResNet-50 as torchvision builds it (Table V).",
    ),
    "mobilenetv1-cifar10": ZooEntry(
        mobilenet.mobilenetv1_cifar10,
        CIFAR,
        "MobileNetV1 with a stem of stride 1 (Table II).",
    ),
    "mobilenetv1-cifar100": ZooEntry(
        mobilenet.mobilenetv1_cifar100,
        CIFAR,
        "MobileNetV1 with a stem of stride 1 (Table IV).",
    ),
    "mobilenetv1-imagenet": ZooEntry(
        mobilenet.mobilenetv1_imagenet,
        IMAGENET,
        "MobileNetV1 (Table VI).",
    ),
    "mobilenetv2-cifar": ZooEntry(
        mobilenet.mobilenetv2_cifar,
        CIFAR,
        "MobileNetV2 with a padded 1x1 stem and a 1x1 classifier of 100 classes, which stands "
        "in both Table II and Table IV.",
    ),
    "mobilenetv2-imagenet": ZooEntry(
        mobilenet.mobilenetv2_imagenet,
        IMAGENET,
        "MobileNetV2 as torchvision builds it (Table VI).",
    ),
    "yolov3-voc": ZooEntry(
        yolov3.yolov3_voc,
        VOC,
        "YOLO-V3 on Darknet-53 at 416x416 for 20 classes (Table VII).",
    ),
}
