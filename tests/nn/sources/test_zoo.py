"""The networks of the zoo cost what the paper prints before anything is replaced."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import cache

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the check that torch is there
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from dualcost.nn.zoo import ZOO, mobilenet, vgg  # noqa: E402

# The rows "standard" and "original" of the paper's tables: (table, FLOPs, parameters) as printed.
PRINTED = {
    "vgg16-cifar10": [("I", "313.21M", "14.73M")],
    "resnet50-cifar10": [("I", "1.30G", "23.52M")],
    "mobilenetv1-cifar10": [("II", "46.37M", "3.22M")],
    "mobilenetv2-cifar": [("II", "64.96M", "2.37M"), ("IV", "64.96M", "2.37M")],
    "vgg16-cifar100": [("III", "332.48M", "34.01M")],
    "resnet50-cifar100": [("III", "1.30G", "23.70M")],
    "mobilenetv1-cifar100": [("IV", "46.46M", "3.32M")],
    "vgg16-imagenet": [("V", "15.47G", "138.36M")],
    "resnet50-imagenet": [("V", "4.09G", "25.56M")],
    "mobilenetv1-imagenet": [("VI", "568M", "4.23M")],
    "mobilenetv2-imagenet": [("VI", "300.79M", "3.50M")],
    "yolov3-voc": [("VII", "32.71G", "61.63M")],
}

CELLS = [
    (name, table, quantity, printed)
    for name, rows in PRINTED.items()
    for table, flops, parameters in rows
    for quantity, printed in (("MACs", flops), ("parameters", parameters))
]

# The 3x3 convolutions of VGG-16 as (side of the output map at 32x32, M, N).
VGG16_CONVS = [
    (32, 3, 64), (32, 64, 64),
    (16, 64, 128), (16, 128, 128),
    (8, 128, 256), (8, 256, 256), (8, 256, 256),
    (4, 256, 512), (4, 512, 512), (4, 512, 512),
    (2, 512, 512), (2, 512, 512), (2, 512, 512),
]  # fmt: skip  # one stage a line

# The depthwise-separable pairs of MobileNetV1 as (side of the output map at 32x32, M, N).
PAIRS = [
    (32, 32, 64),
    (16, 64, 128), (16, 128, 128),
    (8, 128, 256), (8, 256, 256),
    (4, 256, 512), *[(4, 512, 512)] * 5,
    (2, 512, 1024), (2, 1024, 1024),
]  # fmt: skip  # one side a line


def on_meta(network: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """(MACs, parameters): torch's own counter counts two FLOPs per multiply-accumulate."""
    network = network.to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(shape, device="meta"))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2, sum(parameter.numel() for parameter in network.parameters())


@cache
def counted(name: str) -> tuple[int, int]:
    """(MACs, parameters) of an entry of the zoo."""
    with torch.device("meta"):
        network = ZOO[name].build()
    return on_meta(network, ZOO[name].input)


def agrees(value: int, printed: str) -> bool:
    """Whether a count meets a printed cell to one unit of its last digit, or to 0.05 %."""
    digits, scale = printed[:-1], {"M": 10**6, "G": 10**9}[printed[-1]]
    unit: float = scale / 10.0 ** len(digits.partition(".")[2])
    cell = float(digits) * scale
    return abs(value - cell) <= max(unit, 0.0005 * cell)


def conv_macs(convs: Iterable[tuple[int, int, int]], taps: int) -> int:
    """D_o*D_o * K*K * M*N, summed."""
    return sum(side * side * taps * M * N for side, M, N in convs)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(cell[:3]))
def test_a_network_costs_what_its_table_prints(cell: tuple[str, str, str, str]) -> None:
    name, table, quantity, printed = cell
    macs, parameters = counted(name)
    value = macs if quantity == "MACs" else parameters
    assert agrees(value, printed), f"{table}: {value} against {printed}"


def test_a_count_two_units_off_does_not_agree() -> None:
    assert agrees(3_214_000, "3.22M")
    assert not agrees(3_199_000, "3.22M")


def test_mobilenetv1_has_biased_pointwise_convolutions_on_cifar_and_none_on_imagenet() -> None:
    biases = 64 + 2 * 128 + 2 * 256 + 6 * 512 + 2 * 1024  # N of the thirteen pairs
    _, with_bias = counted("mobilenetv1-cifar100")
    _, without = on_meta(mobilenet.MobileNetV1(100), (1, 3, 32, 32))
    assert with_bias == without + biases == 3_315_428
    # Table IV tells the two apart: it prints 3.32 M, which 3.31 M could not round to ...
    assert f"{with_bias / 1e6:.2f}" == "3.32"
    assert f"{without / 1e6:.2f}" == "3.31"
    # ... and so does Table VI, which prints 4.23 M.
    _, thousand_classes = counted("mobilenetv1-imagenet")
    assert f"{thousand_classes / 1e6:.2f}" == "4.23"
    assert f"{(thousand_classes + biases) / 1e6:.2f}" == "4.24"


def test_vgg16_on_cifar10_is_the_sum_of_its_layers() -> None:
    weights = 9 * (
        3 * 64 + 64 * 64
        + 64 * 128 + 128 * 128
        + 128 * 256 + 256 * 256 + 256 * 256
        + 256 * 512 + 512 * 512 + 512 * 512
        + 512 * 512 + 512 * 512 + 512 * 512
    )  # fmt: skip  # K*K * M*N, one stage a line
    channels = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    # a bias, a norm's weight and a norm's bias per channel; then the linear layer
    parameters = weights + 3 * channels + (512 * 10 + 10)
    macs = conv_macs(VGG16_CONVS, 9) + 512 * 10
    assert (weights, channels) == (14_710_464, 4_224)
    assert counted("vgg16-cifar10") == (macs, parameters) == (313_201_664, 14_728_266)
    # one more linear layer of 512*512 weights and 512 biases
    assert counted("vgg16-cifar10-hetconv") == (macs + 512 * 512, parameters + 512 * 512 + 512)


def test_vgg16_with_three_linear_layers_is_the_sum_of_its_layers() -> None:
    convs, norms = 14_710_464, 2 * 4_224  # no conv bias
    small = 512 * 4096 + 4096 * 4096 + 4096 * 100
    large = 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000
    assert counted("vgg16-cifar100") == (
        conv_macs(VGG16_CONVS, 9) + small,
        convs + norms + small + 4096 + 4096 + 100,
    )
    assert counted("vgg16-imagenet") == (
        7 * 7 * conv_macs(VGG16_CONVS, 9) + large,  # 224 = 7 * 32: every map is 7x7 times larger
        convs + norms + large + 4096 + 4096 + 1000,
    )


def test_vgg16a_is_what_li_and_others_print() -> None:
    macs, parameters = counted("vgg16a-cifar10")
    convs = [
        (32, 3, 32), (32, 32, 64),
        (16, 64, 128), (16, 128, 128),
        (8, 128, 256), (8, 256, 256), (8, 256, 256),
        *[(4, 256, 256)] * 3,
        *[(2, 256, 256)] * 3,
    ]  # fmt: skip  # one stage a line
    assert macs == conv_macs(convs, 9) + 256 * 512 + 512 * 10
    # Li et al., "Pruning filters for efficient ConvNets", table 1, VGG-16-pruned-A
    assert f"{macs:.2e}" == "2.06e+08"
    assert f"{parameters:.2e}" == "5.40e+06"


def test_table_i_counts_li_pruned_with_256_hidden_units_and_one_addition_per_bias() -> None:
    network = vgg.VGG(vgg.VGG16_A, 10, hidden=(256,), conv_bias=True)
    macs, parameters = on_meta(network, (1, 3, 32, 32))
    # one addition per output: D_o*D_o * N
    additions = (
        32 * 32 * (32 + 64)
        + 16 * 16 * (128 + 128)
        + 8 * 8 * (3 * 256)
        + 4 * 4 * (3 * 256)
        + 2 * 2 * (3 * 256)
    )
    assert f"{(macs + additions) / 1e6:.2f}" == "206.44"  # table I, Li-pruned, FLOPs
    # Parameters are weights and biases; the norms' are left out.
    norms = 2 * (32 + 64 + 2 * 128 + 9 * 256)
    assert not agrees(parameters, "5.32M")
    assert agrees(parameters - norms, "5.32M")  # table I, Li-pruned, params


def test_resnet50_on_cifar_is_the_sum_of_its_blocks() -> None:
    macs = 32 * 32 * 9 * 3 * 64
    weights, norm_channels = 9 * 3 * 64, 64
    M = 64
    # (side of the stage's maps, channels of the 3x3, blocks)
    for side, width, blocks in ((32, 64, 3), (16, 128, 4), (8, 256, 6), (4, 512, 3)):
        N = 4 * width
        before = side if M == 64 else 2 * side  # the first 1x1 runs before the stride
        first = M * width + 9 * width * width + width * N + M * N
        other = N * width + 9 * width * width + width * N
        weights += first + (blocks - 1) * other
        norm_channels += blocks * (2 * width + N) + N
        macs += before**2 * M * width + side**2 * (first - M * width)
        macs += (blocks - 1) * side**2 * other
        M = N
    for name, classes in (("resnet50-cifar10", 10), ("resnet50-cifar100", 100)):
        assert counted(name) == (
            macs + 2048 * classes,
            weights + 2 * norm_channels + 2048 * classes + classes,
        )


@pytest.mark.parametrize(
    ("name", "side", "classes", "biased"),
    [
        ("mobilenetv1-cifar10", 1, 10, True),
        ("mobilenetv1-cifar100", 1, 100, True),
        # 224 = 7 * 32, and the stem halves it: maps are 3.5x3.5 times larger
        ("mobilenetv1-imagenet", 3.5, 1000, False),
    ],
)
def test_mobilenetv1_is_the_sum_of_its_pairs(
    name: str, side: float, classes: int, biased: bool
) -> None:
    stem = 9 * 3 * 32
    pair_macs = sum(d * d * (9 * M + M * N) for d, M, N in PAIRS)
    weights = stem + sum(9 * M + M * N for _, M, N in PAIRS)
    norms = 2 * (32 + sum(M + N for _, M, N in PAIRS))
    macs = side * side * (32 * 32 * stem + pair_macs) + 1024 * classes
    biases = sum(N for _, _, N in PAIRS) * biased
    assert counted(name) == (macs, weights + biases + norms + 1024 * classes + classes)


def test_mobilenetv2_on_cifar_is_the_sum_of_its_blocks() -> None:
    # a 1x1 with padding 1 on 32x32: 34x34 maps
    macs, parameters = 34 * 34 * 3 * 32, 3 * 32 + 3 * 32
    # (side before, side after, expansion, M, N) of the seventeen blocks
    blocks = [
        (34, 34, 1, 32, 16),
        (34, 17, 6, 16, 24), (17, 17, 6, 24, 24),
        (17, 9, 6, 24, 32), *[(9, 9, 6, 32, 32)] * 2,
        (9, 5, 6, 32, 64), *[(5, 5, 6, 64, 64)] * 3,
        (5, 5, 6, 64, 96), *[(5, 5, 6, 96, 96)] * 2,
        (5, 5, 6, 96, 160), *[(5, 5, 6, 160, 160)] * 2,
        (5, 5, 6, 160, 320),
    ]  # fmt: skip  # one stage a line
    for before, after, expansion, M, N in blocks:
        width = expansion * M
        macs += before**2 * M * width + after**2 * (9 * width + width * N)
        # a bias and a norm's weight and bias for each output channel of the three convolutions
        parameters += M * width + 9 * width + width * N + 3 * (width + width + N)
    macs += 5 * 5 * 320 * 1280 + 1280 * 100
    parameters += 320 * 1280 + 3 * 1280 + 1280 * 100 + 100
    assert counted("mobilenetv2-cifar") == (macs, parameters)


def test_yolov3_is_the_sum_of_its_layers() -> None:
    convs = [(416, 9, 3, 32)]  # (side, K*K, M, N), all with a norm and without a bias
    M, side = 32, 416
    for N, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        side //= 2
        convs += [(side, 9, M, N)]
        convs += [(side, 1, N, N // 2), (side, 9, N // 2, N)] * blocks
        M = N
    for side, seen, width in ((13, 1024, 512), (26, 256 + 512, 256), (52, 128 + 256, 128)):
        convs += [(side, 1, seen, width), (side, 9, width, 2 * width)]
        convs += [(side, 1, 2 * width, width), (side, 9, width, 2 * width)] * 2
    convs += [(13, 1, 512, 256), (26, 1, 256, 128)]  # the routes, before they are upsampled
    outputs = [(13, 1, 1024, 75), (26, 1, 512, 75), (52, 1, 256, 75)]  # 75 = 3 * (5 + 20)
    macs = sum(d * d * taps * M * N for d, taps, M, N in convs + outputs)
    weights = sum(taps * M * N for _, taps, M, N in convs + outputs)
    assert len(convs + outputs) == 75  # 52 of Darknet-53, and 23
    assert counted("yolov3-voc") == (macs, weights + sum(2 * N for *_, N in convs) + 3 * 75)


@pytest.mark.parametrize(
    ("name", "giga_macs", "parameters"),
    [
        # torchvision 0.29, ResNet50_Weights.IMAGENET1K_V1.meta: _ops, num_params
        ("resnet50-imagenet", "4.089", 25_557_032),
        # torchvision 0.29, MobileNet_V2_Weights.IMAGENET1K_V1.meta: _ops, num_params
        ("mobilenetv2-imagenet", "0.301", 3_504_872),
    ],
)
def test_a_network_of_torchvision_costs_what_its_metadata_says(
    name: str, giga_macs: str, parameters: int
) -> None:
    macs, counted_parameters = counted(name)
    assert f"{macs / 1e9:.3f}" == giga_macs
    assert counted_parameters == parameters


@pytest.mark.parametrize("name", ["vgg16-cifar10", "mobilenetv1-cifar10", "mobilenetv2-cifar"])
def test_a_network_runs_on_real_tensors_and_learns_in_every_parameter(name: str) -> None:
    network = ZOO[name].build()
    network(torch.randn(2, *ZOO[name].input[1:])).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_yolov3_returns_three_maps_coarsest_first() -> None:
    with torch.device("meta"):
        network = ZOO["yolov3-voc"].build()
        maps = network(torch.empty(ZOO["yolov3-voc"].input))
    assert [tuple(boxes.shape) for boxes in maps] == [
        (1, 75, 13, 13), (1, 75, 26, 26), (1, 75, 52, 52),
    ]  # fmt: skip  # one list


def test_every_network_can_be_built_and_run_on_fake_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    for entry in ZOO.values():
        with FakeTensorMode():
            entry.build().eval()(torch.empty(entry.input))


def test_every_entry_says_in_one_sentence_which_table_it_stands_for() -> None:
    for name, entry in ZOO.items():
        assert entry.about.endswith("."), name
        assert "Table" in entry.about, name
        assert entry.input[0] == 1, name


def test_importing_the_zoo_does_not_import_torchvision() -> None:
    program = "import sys, dualcost.nn.zoo; sys.exit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
