"""Which blocks are found, and what a rewrite replaces as a whole, counted by hand."""

from __future__ import annotations

from dataclasses import replace

from support.networks import (
    SIDE,
    asked,
    conv,
    dual_macs,
    in_bytes,
    mobile,
    network,
    norm,
    plain,
    relu,
    replaced,
    site,
)

from dualcost.costs.profile import REMOVED, Profile, profile
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.blocks import find_blocks
from dualcost.network.cost import Cost
from dualcost.network.network import INVERTED_RESIDUAL, SEPARABLE, Network
from dualcost.render.rewrite import becomes, why
from dualcost.rewrite.decision import Overlap
from dualcost.rewrite.rewrite import rewrite

# --- finding blocks


def found_in(ops_of: Network) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(b.kind, b.path, b.ops) for b in find_blocks(ops_of.ops, {})]


def test_an_inverted_residual_and_the_pair_inside_it_are_found() -> None:
    ops = mobile(8, 32, 16)
    pair, whole = find_blocks(ops, {})
    assert (pair.kind, pair.path, pair.ops) == (SEPARABLE, "b", (4, 5, 6, 7))
    assert (whole.kind, whole.path, whole.ops) == (INVERTED_RESIDUAL, "b", (1, 2, 3, 4, 5, 6, 7))
    # M of the first, N of the last, and the kernel of the depthwise one
    assert (pair.site.M, pair.site.N, pair.site.kernel, pair.site.groups) == (32, 16, (3, 3), 1)
    assert (whole.site.M, whole.site.N, whole.site.kernel, whole.site.groups) == (8, 16, (3, 3), 1)


def test_a_block_keeps_the_stride_of_its_depthwise_convolution() -> None:
    deep = site(8, 8, groups=8, stride=2)
    ops = (conv("d", deep), conv("p", site(8, 16, 1, 4, bias=True), 0))
    (found,) = find_blocks(ops, {})
    assert (found.site.stride, found.site.in_size, found.site.out_size) == ((2, 2), (8, 8), (4, 4))
    assert found.site.bias


def test_a_map_that_is_read_from_elsewhere_too_is_no_part_of_a_block() -> None:
    deep = conv("d", site(8, 8, groups=8))
    last = conv("p", site(8, 16, 1), 1)
    alone = (deep, relu(8, SIDE, 0), last)
    assert [b.ops for b in find_blocks(alone, {})] == [(0, 1, 2)]
    assert find_blocks((*alone, relu(8, SIDE, 0)), {}) == ()
    assert find_blocks((*alone, relu(8, SIDE, 1)), {}) == ()


def test_two_separable_pairs_in_a_row_are_no_inverted_residual() -> None:
    ops = (
        conv("a.d", site(8, 8, groups=8)),
        conv("a.p", site(8, 16, 1), 0),
        conv("b.d", site(16, 16, groups=16), 1),
        conv("b.p", site(16, 32, 1), 2),
    )
    # 1×1, depthwise, 1×1 is there too, but it does not narrow at its end
    assert [(b.kind, b.ops) for b in find_blocks(ops, {})] == [
        (SEPARABLE, (0, 1)),
        (SEPARABLE, (2, 3)),
    ]


def test_a_known_module_type_makes_a_block_without_expansion_an_inverted_residual() -> None:
    ops = (
        conv("stem", site(3, 8)),
        conv("f.1", site(8, 8, groups=8), 0),
        relu(8, SIDE, 1),
        conv("f.2", site(8, 16, 1), 2),
    )
    # as in torchvision, where the norm and the activation run below the module as well
    ops = (*ops[:2], replace(ops[2], path="f.act"), ops[3])
    assert [b.kind for b in find_blocks(ops, {})] == [SEPARABLE]
    kinds = [b.kind for b in find_blocks(ops, {"f": "InvertedResidual"})]
    assert kinds == [SEPARABLE, INVERTED_RESIDUAL]


def test_a_rule_may_name_the_type_of_the_module_that_is_the_block() -> None:
    ops = mobile(8, 32, 16)
    net = network(*ops, blocks=find_blocks(ops, {"b": "InvertedResidual"}))
    where = "block=inverted-residual type="
    assert replaced(rewrite(net, asked("dual", 8, where=f"{where}Inverted*"))) == {"b": 8}
    assert replaced(rewrite(net, asked("dual", 8, where=f"{where}Conv2d"))) == {}


# --- blocks with a channel gate


def squeezed() -> Network:
    """An inverted residual with a channel gate between its depthwise and its last convolution."""
    wide = (1, 32, SIDE, SIDE)
    ops = (
        conv("stem", site(3, 8)),
        conv("b.expand", site(8, 32, 1), 0),
        conv("b.depth", site(32, 32, groups=32), 1),
        plain("mean", "pooling", (1, 32, 1, 1), 2),
        conv("b.gate", site(32, 32, 1, 1, bias=True), 3),
        plain("sigmoid", "activation", (1, 32, 1, 1), 4),
        plain("mul", "elementwise", wide, 5, 2),
        conv("b.project", site(32, 16, 1), 6),
        norm("b.norm", 16, SIDE, 7),
    )
    return network(*ops, blocks=find_blocks(ops, {}))


def test_a_channel_gate_belongs_to_its_block_and_leaves_with_it() -> None:
    gated = squeezed()
    assert found_in(gated) == [(INVERTED_RESIDUAL, "b", (1, 2, 3, 4, 5, 6, 7))]
    found = profile(gated, asked(number=4, where="inverted-residual"))
    stem = SIDE * SIDE * 3 * 3 * 3 * 8
    gate = 32 * 32  # at 1×1
    inside = SIDE * SIDE * (8 * 32 + 3 * 3 * 32 + 32 * 16) + gate
    assert found.before.macs == stem + inside
    assert found.after.macs == stem + dual_macs(8, 16, 4)
    outside = 3 * 3 * 3 * 8 + 2 * 16
    inner = 8 * 32 + 3 * 3 * 32 + (32 * 32 + 32) + 32 * 16
    assert found.before.params == outside + inner
    assert found.after.params == outside + 16 * (3 * 3 * 8 // 4 + 8)
    removed = {row.op: row.group for row in found.rows if row.becomes == REMOVED}
    assert removed == {"mean": "pooling", "sigmoid": "activation", "mul": "elementwise"}


def test_a_gated_map_that_is_read_from_elsewhere_too_is_no_part_of_a_block() -> None:
    ops = squeezed().ops
    assert [b.ops for b in find_blocks(ops, {})] == [(1, 2, 3, 4, 5, 6, 7)]
    for inner in range(1, 7):
        channels, side = ops[inner].out_shapes[0][1], ops[inner].out_shapes[0][-1]
        assert find_blocks((*ops, relu(channels, side, inner)), {}) == (), inner
    # the result of the block may be read by anyone
    assert len(find_blocks((*ops, relu(16, SIDE, 7)), {})) == 1
    # a gate that was computed before the block is no part of it either
    early = (*ops[:6], replace(ops[6], inputs=(0, 2)), *ops[7:])
    assert find_blocks(early, {}) == ()
    # nor is a convolution of the gate whose weight was computed outside
    computed = (*ops[:4], replace(ops[4], inputs=(3, 0)), *ops[5:])
    assert find_blocks(computed, {}) == ()


# --- replacing blocks


def group_total(found: Profile, group: str) -> tuple[Cost, Cost]:
    """A total, added up again from the rows of one group."""
    before, after = Cost(), Cost()
    for row in found.rows:
        if row.group == group:
            before, after = before + row.before, after + row.after
    return before, after


def test_a_block_is_replaced_as_a_whole_and_every_total_is_exact() -> None:
    ops = mobile(8, 32, 16)
    found = profile(
        network(*ops, blocks=find_blocks(ops, {})), asked(number=4, where="inverted-residual")
    )
    positions = SIDE * SIDE
    stem = in_bytes(Cost(positions * 27 * 8, 27 * 8, positions * (3 + 8) + 27 * 8), positions * 8)
    head = Cost(positions * 16 * 10, positions * 16 * 10 + 10)
    weights = {"expand": 8 * 32, "depth": 3 * 3 * 32, "project": 32 * 16}
    traffic = {"expand": 8 + 32, "depth": 32 + 32, "project": 32 + 16}
    before, after = found.totals["convolution"]
    assert before == stem + in_bytes(
        Cost(
            positions * sum(weights.values()),
            sum(weights.values()),
            positions * sum(traffic.values()) + sum(weights.values()),
        ),
        made=positions * (32 + 32 + 16),
    )
    dual = replace(KINDS["dual"].at(site(8, 16), 4), operations=0)  # counted by `all` alone
    assert after == stem + in_bytes(dual, made=positions * (16 + 16))
    assert after.macs == stem.macs + dual_macs(8, 16, 4)
    # of three norms the one behind the block is left
    norms = in_bytes(Cost(0, 2 * 16, 2 * positions * 16 + 2 * 16), positions * 16)
    inner = in_bytes(Cost(0, 2 * 32, 2 * positions * 32 + 2 * 32), positions * 32)
    assert found.totals["norm"] == (inner + inner + norms, norms)
    assert found.totals["linear"][0] == found.totals["linear"][1]
    assert (found.totals["linear"][1].macs, found.totals["linear"][1].params) == (
        head.macs,
        head.params,
    )
    # two activations leave
    left = in_bytes(Cost(traffic=2 * 2 * positions * 32), made=2 * positions * 32)
    assert found.totals["rest"] == (left, Cost())
    assert all(group_total(found, g) == found.totals[g] for g in ("convolution", "norm", "linear"))
    assert [(row.path, str(row.kind or ""), becomes(row.becomes)) for row in found.rows] == [
        ("stem", "standard", ""),
        ("b", INVERTED_RESIDUAL, "dual G=4"),
        ("b", "", "removed"),
        ("b", "", "removed"),
        ("b.norm3", "", ""),
        ("head", "", ""),
    ]
    assert found.replaced == 1


def test_of_two_blocks_that_overlap_the_first_is_replaced() -> None:
    ops = mobile(8, 32, 16)
    both = network(*ops, blocks=find_blocks(ops, {}))
    found = rewrite(both, asked(number=4, where="block=separable,inverted-residual")).checked()
    assert [one.ops for one in found.replacements] == [(4, 5, 6, 7)]
    assert [(d.candidate.block, d.replaced, why(d.outcome, d.reason)) for d in found.decisions] == [
        (SEPARABLE, True, ""),
        (INVERTED_RESIDUAL, False, "overlaps a block that is replaced already"),
    ]


def test_of_two_blocks_of_the_same_ops_one_decision_says_replaced() -> None:
    # a bottleneck without expansion is a separable pair as well
    net = library.load("torchvision:mobilenet_v2")
    same = [b.ops for b in net.blocks if b.path.startswith("features.1.") or b.path == "features.1"]
    assert len(same) == 2 and same[0] == same[1]
    found = rewrite(net, asked(number=1, where="block=separable,inverted-residual")).checked()
    assert sum(d.replaced for d in found.decisions) == len(found.replacements)
    assert all(not d.replaced for d in found.decisions if d.reason == Overlap())


def test_the_first_convolution_is_protected_inside_a_block_too() -> None:
    ops = (conv("d", site(8, 8, groups=8)), conv("p", site(8, 16, 1), 0))
    blocks = find_blocks(ops, {})
    net = network(*ops, blocks=blocks)
    found = rewrite(net, asked(number=4, where="separable first=no"))
    assert [why(d.outcome, d.reason) for d in found.decisions] == ["first=no wanted, is yes"]
    assert replaced(rewrite(net, asked(number=4, where="separable"))) == {"": 4}
