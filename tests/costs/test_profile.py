"""Rows add up to totals, and totals to what the trace file says when it is read without us."""

from __future__ import annotations

import gzip
import json
from dataclasses import astuple, fields
from functools import cache
from math import gcd, prod
from typing import Any

import pytest
from support.networks import conv, linear, network, norm, plain, relu, site

from dualcost.costs.profile import NEVER_RUN, REMOVED, TOTALLED, Profile, profile
from dualcost.errors import IndivisibleError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.cost import Cost, convention
from dualcost.network.network import Network, Parameter
from dualcost.network.tracefile import SUFFIX
from dualcost.render.rewrite import becomes
from dualcost.rewrite.request import Request

PACKAGED = [f"{origin}:{name}" for origin in library.ORIGINS for name in library.names(origin)]
# Every sixth, and those with a trait of their own: shared heads, gates, 3-d, attention, aux heads.
SAMPLE = sorted(
    {
        *PACKAGED[::6],
        *(
            f"torchvision:{name}"
            for name in ("fcos_resnet50_fpn", "efficientnet_b0", "r3d_18", "vit_b_16", "googlenet")
        ),
    }
)
# The words of op lines in a trace file, by place.
GROUP, IN_SHAPES, OUT_SHAPES, MACS, PARAMETERS, SITE = 3, 5, 6, 7, 8, 9
OPERATIONS, ITEMSIZE, MEMORY = 10, 11, 12


@cache
def lines_of(name: str) -> list[Any]:
    """The lines of a packaged trace: header, parameters, blocks, ops; as json alone reads them."""
    origin, _, file = name.partition(":")
    path = library.TRACES / origin / f"{file}{SUFFIX}"
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@cache
def loaded(name: str) -> Network:
    return library.load(name)


def asked(kind: str, where: str = "kernel>1 groups=1 transposed=no") -> Request:
    letter = KINDS[kind].letter
    G, P = (4 if letter == one else None for one in "GP")
    return Request.parse(kind, G, P, where, indivisible="gcd")


def added(costs: list[Cost]) -> tuple[int, ...]:
    """Every field of a cost, added up without Cost's own sum."""
    return tuple(sum(getattr(cost, field.name) for cost in costs) for field in fields(Cost))


def check_sums(found: Profile) -> None:
    """Rows add up to both sums, and each row is in exactly one of the totals."""
    for side in ("before", "after"):
        rows = added([getattr(row, side) for row in found.rows])
        total = getattr(found, side)
        assert rows == astuple(total)
        index = 0 if side == "before" else 1
        assert rows == added([pair[index] for pair in found.totals.values()])
    assert list(found.totals) == [name for name in TOTALLED if name in found.totals]


def by_hand(lines: list[Any], kind: str) -> tuple[int, int, int, int]:
    """MACs, then parameters, before and after: the paper's equations over the lines of a file."""
    _, parameters, _, *ops = lines
    sizes = {name: prod(shape) for name, shape, *_ in parameters}
    macs = 0
    new: dict[tuple[str, ...], int] = {}
    of_kept: set[str] = set()
    of_replaced: set[str] = set()
    for op in ops:
        M, N, kernel, _, _, _, groups, bias, transposed, _, out_size, batch = op[SITE] or [0] * 12
        if not op[SITE] or prod(kernel) == 1 or groups > 1 or transposed:
            macs += op[MACS]
            of_kept.update(op[PARAMETERS])
            continue
        g = gcd(4, M, N)
        taps = prod(kernel)
        weights = {
            "standard": taps * M * N,  # (1) without D_o*D_o
            "dsc": taps * M + M * N,  # (6)
            "group": taps * M * N // g,  # (8)
            "het": M * N * (taps + g - 1) // g,  # (10)
            "dual": taps * M * N // g + M * N,  # (4)
        }[kind]
        macs += batch * prod(out_size) * weights
        new[tuple(op[PARAMETERS])] = weights + (N if bias else 0)
        of_replaced.update(op[PARAMETERS])
    gone = of_replaced - of_kept
    return (
        sum(op[MACS] for op in ops),
        macs,
        sum(sizes.values()),
        sum(sizes[name] for name in sizes if name not in gone) + sum(new.values()),
    )


# --- packaged networks


@pytest.mark.parametrize("name", SAMPLE)
def test_totals_are_those_of_the_trace_file(name: str) -> None:
    header, parameters, _, *ops = lines_of(name)
    found = profile(loaded(name))
    check_sums(found)
    assert (found.before.macs, found.before.params) == (header["macs"], header["params"])
    sizes = {key: prod(shape) for key, shape, *_ in parameters}
    # every op but the free ones reads its maps and parameters and writes its results
    assert found.before.traffic == sum(
        op[ITEMSIZE]
        * (
            sum(prod(shape) for shape in (*op[IN_SHAPES], *op[OUT_SHAPES]))
            + sum(sizes[key] for key in op[PARAMETERS])
        )
        for op in ops
        if op[GROUP] != "free"
    )
    assert found.before.weight_bytes == sum(
        prod(shape) * itemsize for _, shape, _, itemsize in parameters
    )
    assert found.before.activation_bytes == sum(nbytes for op in ops for nbytes, _ in op[MEMORY])
    assert found.before.operations == 0  # the default convention counts none
    every = profile(loaded(name), convention=convention("all"))
    check_sums(every)
    assert every.before.operations == sum(op[OPERATIONS] for op in ops)
    assert every.before.flops == 2 * header["macs"] + every.before.operations
    assert found.buffers == loaded(name).buffers
    assert [[b.name, list(b.shape), False, b.itemsize] for b in found.buffers] == header["buffers"]
    assert found.frozen == sum(prod(shape) for _, shape, trains, _ in parameters if not trains)
    assert len(found.rows) == len(ops) + sum(row.group == NEVER_RUN for row in found.rows)
    assert found.unknown == {
        key: sum(op[GROUP] == "unknown" and op[0] == key for op in ops)
        for key in {op[0] for op in ops if op[GROUP] == "unknown"}
    }
    assert found.partial == any(op[GROUP] == "unknown" for op in ops)


@pytest.mark.parametrize("name", SAMPLE)
def test_nothing_changes_without_a_rewrite(name: str) -> None:
    found = profile(loaded(name))
    assert found.after == found.before
    assert all(row.after == row.before and not row.becomes for row in found.rows)
    assert found.replaced == 0
    assert found.decisions == ()
    assert found.peak[0] == found.peak[1]
    metrics = ("macs", "flops", "params", "traffic", "weight_bytes", "activation_bytes")
    assert {found.ratio(metric) for metric in metrics} == {1.0}
    assert found.ratio("operations") is None  # of those, none were counted before


@pytest.mark.parametrize("name", SAMPLE)
def test_every_kind_costs_what_the_equations_say_over_the_raw_file(name: str) -> None:
    plain = profile(loaded(name))
    for kind in KINDS:
        found = profile(loaded(name), asked(kind))
        check_sums(found)
        assert found.before == plain.before
        assert (
            found.before.macs,
            found.after.macs,
            found.before.params,
            found.after.params,
        ) == by_hand(lines_of(name), kind)
        # weights of four bytes, new ones as well as old ones
        assert found.before.weight_bytes == 4 * found.before.params
        assert found.after.weight_bytes == 4 * found.after.params
        if kind == "standard":  # to replace by the same changes nothing, traffic included
            assert found.after == found.before
            assert found.peak[0] == found.peak[1]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("rule", ["separable", "inverted-residual"])
@pytest.mark.parametrize("net", ["mobilenet_v2", "mnasnet1_0", "mobilenet_v3_small"])
def test_rows_add_up_where_blocks_are_replaced(net: str, rule: str, kind: str) -> None:
    name = f"torchvision:{net}"
    before = profile(loaded(name))
    found = profile(loaded(name), asked(kind, rule))
    check_sums(found)
    assert found.before == before.before
    assert {key: pair[0] for key, pair in found.totals.items()} == {
        key: pair[0] for key, pair in before.totals.items()
    }
    blocks = {b.path: b for b in loaded(name).blocks if b.kind == rule}
    replaced = [row for row in found.rows if row.replaced]
    assert replaced and all(row.path in blocks for row in replaced)
    for row in replaced:
        ops = [loaded(name).ops[index] for index in blocks[row.path].ops]
        assert row.before.macs == sum(op.macs for op in ops if op.site)
        # what a replaced block had is on its own rows, all of it; a residual sum stays
        gone = [one for one in found.rows if one.path == row.path and one.becomes == REMOVED]
        was = sum((one.before for one in gone), row.before)
        assert (was.macs, was.traffic, was.activation_bytes) == (
            sum(op.macs for op in ops),
            sum(loaded(name).traffic(op) for op in ops),
            sum(nbytes for op in ops for nbytes, _ in op.memory),
        )
        assert all(one.after == Cost() for one in gone)


@pytest.mark.parametrize(
    ("name", "count", "prefix"),
    [("googlenet", 14, "aux"), ("inception_v3", 8, "AuxLogits.")],
)
def test_parameters_that_never_run_have_rows(name: str, count: int, prefix: str) -> None:
    _, parameters, _, *ops = lines_of(f"torchvision:{name}")
    read = {key for op in ops for key in op[PARAMETERS]}
    expected = {key: prod(shape) for key, shape, *_ in parameters if key not in read}
    for wanted in (None, asked("dual")):
        found = profile(loaded(f"torchvision:{name}"), wanted)
        rows = [row for row in found.rows if row.group == NEVER_RUN]
        assert {row.path: row.after.params for row in rows} == expected
        for row in rows:
            params = row.after.params
            assert row.before == row.after == Cost(params=params, weight_bytes=4 * params)
        assert found.rows[-len(rows) :] == tuple(rows)
    # the auxiliary classifiers: two convolutions with norms and two linear layers, or one of each
    assert len(expected) == count
    assert all(key.startswith(prefix) for key in expected)


def test_the_paper_leaves_the_products_of_attention_out() -> None:
    net = loaded("torchvision:vit_b_16")
    tokens, width, mlp = 14 * 14 + 1, 768, 3072
    layer = tokens * (4 * width * width + 2 * width * mlp)  # q, k, v, out; two of the MLP
    patches, head = 14 * 14 * 16 * 16 * 3 * width, width * 1000
    paper = profile(net, convention=convention("paper"))
    torch = profile(net, convention=convention("torch"))
    assert paper.before.macs == patches + 12 * layer + head
    assert torch.before.macs == paper.before.macs + 12 * 2 * tokens * tokens * width  # q·k, ·v
    assert paper.totals["matmul"][0].macs == 0
    # what is counted is a matter of MACs alone
    assert (paper.before.params, paper.before.traffic) == (
        torch.before.params,
        torch.before.traffic,
    )
    # torchvision's table of weights says 17.56 GFLOPS (its word for MACs) and 86,567,656 parameters
    assert round(torch.before.macs / 1e9, 2) == 17.56
    assert torch.before.params == 86_567_656


# --- hand-made ones


def test_an_unknown_op_makes_the_total_a_lower_bound() -> None:
    shape = (1, 8, 8, 8)
    ops = (
        conv("a", site(3, 8)),
        plain("fft", "unknown", shape, 0),
        plain("roll", "unknown", shape, 1),
        plain("fft", "unknown", shape, 2),
    )
    found = profile(network(*ops))
    assert found.unknown == {"fft": 2, "roll": 1}
    assert found.partial
    assert not profile(network(*ops[:1])).partial
    # three times a map is read and one is made, of four bytes an element
    assert found.totals["rest"][0] == Cost(
        traffic=4 * 3 * 2 * 8 * 8 * 8, activation_bytes=4 * 3 * 8 * 8 * 8
    )


def test_a_row_says_what_ran() -> None:
    found = profile(
        network(
            conv("a", site(3, 8)),
            norm("a.norm", 8, 8, 0),
            relu(8, 8, 1),
            conv("d", site(8, 8, groups=8), 2),
            conv("g", site(8, 16, groups=4), 3),
            conv("p", site(16, 8, 1), 4),
            conv("u", site(8, 8, transposed=True), 5),
            conv("ud", site(8, 8, groups=8, transposed=True), 6),
            linear("head", 512, 10, 7),
            never_run=[Parameter("aux.weight", (7, 3)), Parameter("scale", ())],
        )
    )
    assert [
        (row.path, str(row.kind or ""), row.M, row.N, row.divisor, row.total) for row in found.rows
    ] == [
        ("a", "standard", 3, 8, 1, "convolution"),
        ("a.norm", "", None, None, None, "norm"),
        ("", "", None, None, None, "rest"),
        ("d", "depthwise", 8, 8, 8, "convolution"),
        ("g", "group G=4", 8, 16, 4, "convolution"),
        ("p", "pointwise", 16, 8, 1, "convolution"),
        ("u", "transposed standard", 8, 8, 1, "convolution"),
        ("ud", "transposed depthwise", 8, 8, 8, "convolution"),
        ("head", "", 512, 10, None, "linear"),
        ("aux.weight", "", None, None, None, "rest"),
        ("scale", "", None, None, None, "rest"),
    ]
    # a scalar has one element
    assert [row.before.params for row in found.rows[-2:]] == [7 * 3, 1]
    assert found.rows[0].out_shape == (1, 8, 8, 8)
    check_sums(found)


def test_a_replaced_row_stands_where_the_layer_ran() -> None:
    net = network(conv("a", site(3, 8)), conv("b", site(8, 8), 0), linear("head", 512, 10, 1))
    found = profile(net, Request.parse("dual", G=4))
    assert [(row.path, becomes(row.becomes), row.divisor) for row in found.rows] == [
        ("a", "", 1),
        ("b", "dual G=4", 4),
        ("head", "", None),
    ]
    assert found.replaced == 1
    assert found.ratio("macs") == found.after.macs / found.before.macs
    b = found.rows[1]
    # (5): 1/G + 1/(K*K)
    assert b.after.macs / b.before.macs == pytest.approx(1 / 4 + 1 / 9, rel=1e-15)


def test_a_rewrite_that_cannot_be_carried_out_gives_no_profile() -> None:
    net = network(conv("a", site(3, 8)), conv("b", site(8, 8), 0))
    with pytest.raises(IndivisibleError, match="b: M=8 is not divisible by G=16"):
        profile(net, Request.parse("dual", G=16))
    with pytest.raises(UsageError, match="nothing in hand-made matches"):
        profile(net, Request.parse("dual", G=4, where="kernel=5"))


def test_a_network_without_ops_costs_nothing_and_has_no_ratio() -> None:
    empty = profile(network())
    assert (empty.before, empty.rows, empty.totals) == (Cost(), (), {})
    assert empty.ratio("macs") is None
