"""The sentences of the paper's abstract and sections II–IV that state a cost."""

from __future__ import annotations

from dualcost.paper.claim import (
    MANY,
    Claim,
    about,
    linear_layers,
    over,
    rounds_to,
    saved,
    slower,
    speedups,
)
from dualcost.paper.orderings import MANY_GROUPS, SAME_DIVISOR

_VGG, _RESNET = "table1-vgg16", "table1-resnet50"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "mobilenetv2-params",
        "abstract",
        "further reduce the number of parameters of the lightweight MobileNetV2 by 54% with only "
        "0.68% drop in accuracy on CIFAR-100",
        "54%",
        saved("table4-mobilenetv2-original", "table4-mobilenetv2-dual-G4", rounds_to(54), "params"),
        "at G=4; G=2 has the same accuracy",
    ),
    Claim(
        "hetconv-three-to-eight",
        "II-C",
        "The computational complexity of the original 3×3 standard convolution can be reduced by "
        "three to eight times using heterogeneous convolutional filters",
        "3 to 8 times",
        speedups("het", "P", (4, 64), 3, 8),
        "three times at P=4, eight times not before P=64",
    ),
    Claim(
        "dual-speedup",
        "III-A",
        "given that K=3 in DualConv design, the speedup can reach 8 to 9 times when G is large",
        "8 to 9 times",
        speedups("dual", "G", (32, 72, MANY), 8, 9),
        "eight times at G=72; 7.02 at G=32, the largest in the tables",
    ),
    Claim(
        "dsc-speedup",
        "III-B",
        "given K=3, when N [is] large, the speedup of depthwise separable convolution … can reach "
        "8 to 9 times",
        "8 to 9 times",
        speedups("dsc", "N", (64, 72, MANY), 8, 9),
        "eight times at N=72",
    ),
    Claim(
        "het-speedup",
        "III-B",
        "given K=3, when … P [is] large, the speedup of … HetConv can reach 8 to 9 times",
        "8 to 9 times",
        speedups("het", "P", (32, 64, MANY), 8, 9),
        "eight times at P=64",
    ),
    Claim(
        "group-speedup",
        "III-B",
        "the speedup of GroupConv is proportional to G",
        "G times",
        speedups("group", "G", (2, 8, 32), 32, 32),
    ),
    Claim(
        "vgg16-cifar10-G4",
        "IV-A",
        "When G=4, the accuracy of VGG-16 network is actually higher … while the computations and "
        "the parameters are both reduced by over 60%",
        "over 60%",
        saved(f"{_VGG}-standard", f"{_VGG}-dual-G4", over(60), "macs", "params"),
    ),
    Claim(
        "resnet50-cifar10-G8",
        "IV-A",
        "as for ResNet-50 … the computations and parameters are reduced significantly by over 25% "
        "when G=8",
        "over 25%",
        saved(f"{_RESNET}-standard", f"{_RESNET}-dual-G8", over(25), "macs", "params"),
    ),
    Claim(
        "mobilenetv2-cifar10-G32",
        "IV-B",
        "In MobileNetV2 … decrease the network parameters and computational cost exceeding 60% "
        "with only 1.16% drop in accuracy when G=32",
        "over 60%",
        saved(
            "table2-mobilenetv2-original",
            "table2-mobilenetv2-dual-G32",
            over(60),
            "macs",
            "params",
        ),
    ),
    Claim(
        "mobilenetv1-cifar10-G32",
        "IV-B",
        "Even when G=32, MobileNetV1 with DualConv still has higher accuracy … with similar "
        "parameters and computational cost",
        "similar",
        saved(
            "table2-mobilenetv1-original",
            "table2-mobilenetv1-dual-G32",
            lambda share: None,
            "macs",
            "params",
        ),
        "both grow by about a quarter",
    ),
    Claim(
        "vgg16-cifar100-G8",
        "IV-C",
        "The computational cost is reduced by more than 70% when G=8",
        "over 70%",
        saved("table3-vgg16-standard", "table3-vgg16-dual-G8", over(70), "macs"),
    ),
    Claim(
        "resnet50-cifar100-G4",
        "IV-C",
        "the best accuracy of ResNet-50 with DualConv is achieved when G=4 … the number of "
        "parameters and computational cost are reduced by more than 20%",
        "over 20%",
        saved("table3-resnet50-standard", "table3-resnet50-dual-G4", over(20), "macs", "params"),
    ),
    Claim(
        "vgg16-imagenet-G2",
        "IV-E",
        "when G=2, the computational cost of VGG-16 with DualConv decreases by about 38%",
        "about 38%",
        saved("table5-vgg16-standard", "table5-vgg16-dual-G2", about(38), "macs"),
    ),
    Claim(
        "vgg16-linear-layers",
        "IV-E",
        "the last fully connected (non-convolutional) layers occupy most of the parameters, i.e., "
        "about 102M on ImageNet dataset",
        "about 102 M",
        linear_layers,
        "the first of the three alone has that many",
    ),
    Claim(
        "cpu-vgg16",
        "IV-G",
        "not only reduces the parameters and computational cost of VGG-16 … but also reduces [its] "
        "CPU inference time by 52%",
        "52%",
        saved("table5-vgg16-standard", "table5-vgg16-dual-G16", rounds_to(52), "cpu_ms"),
        "of the printed times, at G=16, the fastest",
    ),
    Claim(
        "cpu-resnet50",
        "IV-G",
        "… of ResNet-50 … CPU inference time by … 24%",
        "24%",
        saved("table5-resnet50-standard", "table5-resnet50-dual-G8", rounds_to(24), "cpu_ms"),
        "of the printed times, at G=8, the fastest",
    ),
    Claim(
        "cpu-G32",
        "IV-G",
        "the DualConv-modified VGG-16 and ResNet-50 networks achieve faster speeds when G=16 and "
        "G=8, but not when G=32",
        "slower at G=32",
        slower(MANY_GROUPS.pairs),
        "of the printed times",
    ),
    Claim(
        "cpu-order",
        "IV-G",
        "when the values of G (or P) are the same, GroupConv-modified models run faster than "
        "DualConv-modified models but HetConv-modified models run slower",
        "group < dual < het",
        slower(SAME_DIVISOR.pairs),
        "of the printed times",
    ),
    Claim(
        "yolov3-G4",
        "IV-I",
        "the YOLO-V3_G4 model … reduces the computational cost and the number of parameters by "
        "about 50%",
        "about 50%",
        saved("table7-yolov3-standard", "table7-yolov3-dual-G4", about(50), "macs", "params"),
    ),
    Claim(
        "yolov3-time",
        "IV-I",
        "The inference time also improves from 26.66ms to 19.79ms (6.87ms faster)",
        "26%",
        saved("table7-yolov3-standard", "table7-yolov3-dual-G4", rounds_to(26), "gpu_ms"),
        "6.87 of 26.66 ms, as printed",
    ),
)
