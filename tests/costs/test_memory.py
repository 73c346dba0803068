"""Peak memory, against a simulation and sums by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import conv, network, plain, quickly, site

from dualcost.costs.memory import Peak, activation_bytes, peak
from dualcost.costs.profile import PeakAt, profile
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.network import ACTIVATION, Network, Op, TensorSpec
from dualcost.network.site import ConvSite
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import Replacement

# --- a simulation: which byte is alive when


@dataclass(frozen=True)
class Program:
    """A network, what is replaced in it, and for each op the one in whose memory its result is."""

    net: Network
    replacements: tuple[Replacement, ...]
    memory_of: tuple[int, ...]


def replacement(ops: tuple[int, ...], at: ConvSite, kind: str, divisor: int) -> Replacement:
    made_of = KINDS[kind]
    return Replacement(ops, "b", "", "", at, made_of, divisor, made_of.at(at, divisor))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A trunk of plain ops, in-place ops, convolutions and blocks, some of them replaced."""
    channels, side = 4, 3
    shape = (1, channels, side, side)
    ops: list[Op] = []
    memory_of: list[int] = []
    outside: list[int] = []  # ops whose results what comes later may read
    replacements: list[Replacement] = []

    def add(op: Op, *, own: bool = True) -> int:
        ops.append(op)
        memory_of.append(len(ops) - 1 if own else memory_of[op.inputs[0]])
        return len(ops) - 1

    now = add(plain("relu", ACTIVATION, shape, -1))
    for what in draw(st.lists(st.sampled_from(["plain", "in place", "conv", "block"]), max_size=6)):
        outside.append(now)
        before = len(ops)
        if what == "plain":
            reads = (now, *draw(st.lists(st.sampled_from(outside), max_size=1)))
            now = add(plain("add", "elementwise", shape, *reads))
        elif what == "in place":
            now = add(plain("relu_", ACTIVATION, shape, now), own=False)
        elif what == "conv":
            now = add(conv("b", site(channels, channels, side=side), now))
        else:
            wide = draw(st.integers(1, 3)) * channels
            now = add(conv("b.0", site(channels, wide, 1, side), now))
            if draw(st.booleans()):
                now = add(plain("relu_", ACTIVATION, (1, wide, side, side), now), own=False)
            now = add(conv("b.1", site(wide, wide, 3, side, groups=wide), now))
            if draw(st.booleans()):
                now = add(plain("relu", ACTIVATION, (1, wide, side, side), now))
            now = add(conv("b.2", site(wide, channels, 1, side), now))
        if what in ("conv", "block") and draw(st.booleans()):
            kind = draw(st.sampled_from(list(KINDS)))
            divisor = draw(st.sampled_from([1, 2, 4])) if KINDS[kind].letter else 1
            at = site(channels, channels, side=side)
            replacements.append(replacement(tuple(range(before, len(ops))), at, kind, divisor))
    end = len(ops)
    lives = []
    for index, op in enumerate(ops):
        if memory_of[index] != index:
            lives.append(op)
            continue
        readings = [(i, memory_of[r]) for i, o in enumerate(ops) for r in o.inputs if r >= 0]
        last = max((i for i, read in readings if read == index), default=index)
        freed = draw(st.sampled_from([-1, *range(last + 1, end)]))
        made = [(draw(st.integers(1, 999)), freed)]
        if op.site is None and draw(st.booleans()):  # indices, which die at once or live on
            made.append((draw(st.integers(1, 999)), draw(st.sampled_from([-1, index + 1]))))
        lives.append(replace(op, memory=tuple(made)))
    net = replace(network(*ops), ops=tuple(lives))
    return Program(net, tuple(replacements), tuple(memory_of))


def simulated(program: Program, *, rewritten: bool) -> Peak:
    """The peak by asking at every op of every map whether it is alive."""
    ops, end = program.net.ops, len(program.net.ops)
    alive: dict[tuple[int, int], set[int]] = {
        (index, place): set(range(index, end if freed < 0 else freed))
        for index, op in enumerate(ops)
        for place, (_, freed) in enumerate(op.memory)
    }
    scratch = dict.fromkeys(range(end), 0)
    for one in program.replacements if rewritten else ():
        last = one.ops[-1]
        inside = [key for key in alive if key[0] in one.ops[:-1]]
        for key in inside:  # who held it holds the result
            alive[last, 0] |= {time for time in alive[key] if time >= last}
        given_by = program.memory_of[ops[one.ops[0]].inputs[0]]
        alive[given_by, 0] |= set(range(given_by, last + 1))
        for key in inside:
            del alive[key]
        map_bytes = 4 * 4 * 3 * 3  # 4 channels of 3*3, four bytes each; M and N are alike
        two_parts = one.kind.name in ("dsc", "dual") or (one.kind.name == "het" and one.divisor > 1)
        scratch[last] = map_bytes if two_parts else 0
    given = 4 * 4 * 3 * 3  # the input
    totals = [
        given
        + scratch[time]
        + sum(ops[i].memory[place][0] for (i, place), times in alive.items() if time in times)
        for time in range(end)
    ]
    return Peak(max(totals), totals.index(max(totals)))


@settings(quickly, max_examples=300)
@given(programs())
def test_the_peak_is_that_of_a_simulation(program: Program) -> None:
    assert peak(program.net) == simulated(program, rewritten=False)
    assert peak(program.net, program.replacements) == simulated(program, rewritten=True)


@quickly
@given(programs())
def test_the_peak_lies_between_the_largest_op_and_everything_at_once(program: Program) -> None:
    net = program.net
    given = sum(spec.nbytes for spec in net.inputs)
    found = peak(net).nbytes
    assert given + max(op.allocated for op in net.ops) <= found <= given + activation_bytes(net)
    assert activation_bytes(net) == sum(nbytes for op in net.ops for nbytes, _ in op.memory)


def test_a_network_that_makes_nothing_has_the_peak_of_its_inputs() -> None:
    inputs = (TensorSpec((2, 3)), TensorSpec((5,), "int64"), TensorSpec((7,), "bool"))
    # 2*3 of four bytes, 5 of eight, 7 of one
    assert peak(Network("", inputs, (), ())) == Peak(2 * 3 * 4 + 5 * 8 + 7, 0)
    assert profile(Network("", inputs, (), ())).peak == (PeakAt(71, ""), PeakAt(71, ""))


# --- by hand


@pytest.mark.parametrize(
    ("kind", "divisor", "elements"),
    [
        ("standard", 1, 0),
        ("group", 4, 0),
        ("dsc", 1, 8 * 5 * 5),  # the depthwise part's M channels, of the size of the output
        ("dual", 4, 16 * 5 * 5),  # the second part's N channels
        ("het", 4, 16 * 5 * 5),
        ("het", 1, 0),  # no second part runs
    ],
)
def test_the_maps_inside_a_kind(kind: str, divisor: int, elements: int) -> None:
    at = site(8, 16, side=10, stride=2)  # 8×10×10 → 16×5×5
    assert KINDS[kind].scratch(at, divisor) == elements
    net = network(conv("a", site(3, 8, side=10)), conv("b", at, 0))
    image, first, second = 3 * 10 * 10, 8 * 10 * 10, 16 * 5 * 5
    changed = (replacement((1,), at, kind, divisor),)
    assert peak(net) == Peak(4 * (image + first + second), 1)
    assert peak(net, changed) == Peak(4 * (image + first + second + elements), 1)


def test_the_input_of_a_replaced_block_lives_until_its_end_though_a_view_hands_it_on() -> None:
    shape = (1, 8, 4, 4)
    ops = (
        plain("relu", ACTIVATION, shape, -1),
        Op("view", "", "", "free", (0,), (shape,), (shape,)),
        conv("d", site(8, 8, side=4, groups=8), 1),
        conv("p", site(8, 16, 1, 4), 2),
    )
    small, large = 4 * 8 * 4 * 4, 4 * 16 * 4 * 4
    memory = (((small, 3),), (), ((small, -1),), ((large, -1),))  # relu's map dies with the view
    lives = tuple(replace(op, memory=m) for op, m in zip(ops, memory, strict=True))
    net = replace(network(*ops), ops=lives)
    assert peak(net) == Peak(small + small + large, 3)  # the input, d's and p's
    changed = (replacement((2, 3), site(8, 16, side=4), "standard", 1),)
    # d's map is gone, but relu's is read by what stands for d and p
    assert peak(net, changed) == Peak(small + small + large, 3)


def with_memory(*ops: Op, lives: tuple[tuple[tuple[int, int], ...], ...]) -> Network:
    remembered = (replace(op, memory=m) for op, m in zip(ops, lives, strict=True))
    return replace(network(*ops), ops=tuple(remembered))


def test_the_result_of_a_block_lives_as_long_as_any_map_inside_it_did() -> None:
    small, wide = 4 * 8 * 4 * 4, 4 * 16 * 4 * 4
    shape = (1, 8, 4, 4)
    net = with_memory(
        plain("relu", ACTIVATION, shape, -1),
        conv("e", site(8, 16, 1, 4), 0),
        conv("d", site(16, 16, side=4, groups=16), 1),
        conv("p", site(16, 8, 1, 4), 2),
        plain("relu", ACTIVATION, shape, 3),
        plain("relu", ACTIVATION, shape, 4),
        # a variable holds d's map until the last op
        lives=(
            ((small, 2),), ((wide, 3),), ((wide, 6),), ((small, 5),), ((small, 6),), ((small, -1),)
        ),
    )  # fmt: skip
    # the input, e's map and d's; later the input, d's map and two small ones
    assert peak(net) == Peak(small + wide + wide, 2)
    changed = (replacement((1, 2, 3), site(8, 8, side=4), "standard", 1),)
    # the input, and three maps: the result of the block is held until the end, as d's map was
    assert peak(net, changed) == Peak(small + 3 * small, 5)


def test_what_has_no_memory_and_reads_nothing_belongs_to_no_op() -> None:
    small, shape = 4 * 8 * 4 * 4, (1, 8, 4, 4)
    net = with_memory(
        Op("constant", "", "", "free", (), (shape,), (shape,)),
        plain("relu", ACTIVATION, shape, -1),
        conv("d", site(8, 8, side=4, groups=8), 0),
        conv("p", site(8, 8, 1, 4), 2),
        lives=((), ((small, 3),), ((small, 4),), ((small, -1),)),
    )
    inputs = sum(spec.nbytes for spec in net.inputs)
    changed = (replacement((2, 3), site(8, 8, side=4), "standard", 1),)
    # relu's map is gone before the last op, since the block does not read it
    assert peak(net, changed) == Peak(inputs + small, 1)


def test_the_peak_of_resnet50_is_that_of_its_first_bottleneck() -> None:
    found = profile(library.load("torchvision:resnet50"))
    image = 3 * 224 * 224 * 4
    pooled = 64 * 56 * 56 * 4  # the block's input
    # three maps of 256 channels: the residual branch, the shortcut's convolution, and its norm
    wide = 256 * 56 * 56 * 4
    assert image + pooled + 3 * wide == 11_038_720
    assert found.peak == (PeakAt(11_038_720, "layer1.0.downsample.1"),) * 2


def test_the_peak_of_vgg16_is_that_of_its_second_convolution() -> None:
    net = library.load("torchvision:vgg16")
    image, first = 3 * 224 * 224 * 4, 64 * 224 * 224 * 4
    assert profile(net).peak[0] == PeakAt(image + 2 * first, "features.2")
    # a second part has a map of its own: dual's 1×1 one of N channels, dsc's depthwise one of M
    for kind, parts in (("group", 1), ("dsc", 2), ("dual", 2)):
        G = 4 if KINDS[kind].letter else None
        asked = Request.parse(kind, G, None, "kernel>1 first=no")
        assert profile(net, asked).peak == (
            PeakAt(image + 2 * first, "features.2"),
            PeakAt(image + (1 + parts) * first, "features.2"),
        )
