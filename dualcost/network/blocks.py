"""Finds the blocks of a network: the groups of ops that one convolution may replace.

separable          a depthwise convolution, then a pointwise one, with only norms and activations
                   between them (MobileNetV1)
inverted-residual  a pointwise expansion, a depthwise convolution and a pointwise projection, with
                   only norms, activations and channel gates (squeeze-and-excitation) between them
                   (MobileNetV2 and its kin)

Blocks are found by data flow. A block is a function of its input alone, and nothing inside it is
read from elsewhere: else it could not be replaced as a whole. A module type that is known to be an
inverted residual adds the blocks that data flow alone would not call so: those whose expansion does
not expand, or is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dualcost.network.network import ACTIVATION, INVERTED_RESIDUAL, NORM, SEPARABLE, Block, Op
from dualcost.network.site import ConvSite

# The class names of torchvision (MobileNetV2/V3, MnasNet, EfficientNet) and timm.
INVERTED_RESIDUAL_TYPES = frozenset(
    {
        "InvertedResidual",
        "QuantizableInvertedResidual",
        "_InvertedResidual",
        "MBConv",
        "MBConvBlock",
    }
)
GATES = ("mul", "mul_")


def find_blocks(
    ops: Sequence[Op], modules: dict[str, str], returned: frozenset[int] = frozenset()
) -> tuple[Block, ...]:
    """All blocks in order of execution; a separable pair inside an inverted residual is found too.

    Args:
        ops: the executed ops of a network.
        modules: module path → module type, for every module that ran.
        returned: the ops whose results the network returns.
    """
    readers = _readers(ops)
    for index in returned:
        readers[index].append(len(ops))  # whoever runs the network
    blocks: list[Block] = []
    for last, op in enumerate(ops):
        if not _is_pointwise(op):
            continue
        plain = _trunk(ops, last, gates=False)
        gated = _trunk(ops, last, gates=True)
        if plain is not None and _is_depthwise(ops[plain]):
            path = _common(ops, (plain, last))
            blocks.append(_block(SEPARABLE, ops, (plain, last), path, modules.get(path, "")))
        if gated is not None and _is_depthwise(ops[gated]):
            blocks.extend(_inverted_residual(ops, modules, gated, last))
    return tuple(block for block in blocks if _is_closed(ops, readers, block.ops))


def _inverted_residual(
    ops: Sequence[Op], modules: dict[str, str], depthwise: int, last: int
) -> Iterator[Block]:
    """The inverted residual that ends in this depthwise and this pointwise convolution, if any."""
    before = _trunk(ops, depthwise, gates=False)
    pair = (depthwise, last)
    chain: tuple[int, ...] = pair
    if before is not None and _is_pointwise(ops[before]):
        chain = (before, *pair)
    home = _home(ops[last].path, modules)
    if home:
        inside = _inside(ops, home)
        chain = tuple(index for index in chain if index in inside)
        if pair == chain[-2:] and _is_whole(ops, chain, inside):
            yield _block(INVERTED_RESIDUAL, ops, chain, home, modules[home])
    elif len(chain) == 3 and _narrows_at_both_ends(ops, chain):
        path = _common(ops, chain)
        yield _block(INVERTED_RESIDUAL, ops, chain, path, modules.get(path, ""))


def _readers(ops: Sequence[Op]) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in ops]
    for index, op in enumerate(ops):
        for source in set(op.inputs):
            if source >= 0:
                readers[source].append(index)
    return readers


def _trunk(ops: Sequence[Op], index: int, *, gates: bool) -> int | None:
    """The convolution before `index`, through norms and activations (and gates, if asked for).

    None if something else lies between.
    """
    source = _main_input(ops[index])
    while source >= 0:
        op = ops[source]
        if op.site is not None:
            return source
        if op.group in (NORM, ACTIVATION):
            source = _main_input(op)
        elif gates and op.name in GATES and len(op.inputs) == 2:
            # the trunk is the map; the gate is one number per channel
            source = max(op.inputs, key=lambda i: _elements(ops, i))
        else:
            return None
    return None


def _main_input(op: Op) -> int:
    """The op that made its first activation; -1 if that comes from outside, or is a parameter."""
    return op.inputs[0] if op.inputs else -1


def _is_closed(
    ops: Sequence[Op], readers: Sequence[Sequence[int]], members: tuple[int, ...]
) -> bool:
    """Nothing but the last result of a block leaves it, and nothing but the first input enters.

    What comes from outside the network (-1) is a constant, such as a norm's statistics; not so in
    a gate, where it may be a map.
    """
    others = members[1:]
    inside = frozenset(members)
    return (
        all(reader in inside for index in members[:-1] for reader in readers[index])
        and all(i in inside or i == -1 for index in others for i in ops[index].inputs)
        and all(inside.issuperset(ops[i].inputs) for i in others if ops[i].name in GATES)
    )


def _elements(ops: Sequence[Op], index: int) -> int:
    if index < 0 or not ops[index].out_shapes:
        return 0
    total = 1
    for dim in ops[index].out_shapes[0]:
        total *= dim
    return total


def _is_depthwise(op: Op) -> bool:
    return op.site is not None and op.site.depthwise and not op.site.transposed


def _is_pointwise(op: Op) -> bool:
    """It mixes channels and does nothing else: the map keeps its size."""
    site = op.site
    return (
        site is not None
        and site.pointwise
        and not site.transposed
        and site.in_size == site.out_size
    )


def _narrows_at_both_ends(ops: Sequence[Op], chain: tuple[int, ...]) -> bool:
    """It expands and projects; two separable pairs in a row also read 1×1, depthwise, 1×1."""
    first, last = ops[chain[0]].site, ops[chain[-1]].site
    return first is not None and last is not None and first.M < first.N > last.N


def _home(path: str, modules: dict[str, str]) -> str:
    """The innermost enclosing module whose type is known to be an inverted residual."""
    while path:
        if modules.get(path) in INVERTED_RESIDUAL_TYPES:
            return path
        path = path.rpartition(".")[0]
    return ""


def _inside(ops: Sequence[Op], home: str) -> frozenset[int]:
    """The ops that ran in a module or below it."""
    return frozenset(
        i for i, op in enumerate(ops) if op.path == home or op.path.startswith(home + ".")
    )


def _is_whole(ops: Sequence[Op], chain: tuple[int, ...], inside: frozenset[int]) -> bool:
    """The chain is the whole module: it starts at its input, and no other map is convolved in it.

    ShuffleNetV2 calls its two-branched unit InvertedResidual as well: it fails here.
    """
    maps = {i for i in inside if (site := ops[i].site) is not None and site.in_size != _ones(site)}
    return _main_input(ops[chain[0]]) not in inside and maps <= set(chain)


def _ones(site: ConvSite) -> tuple[int, ...]:
    return (1,) * len(site.in_size)


def _common(ops: Sequence[Op], chain: tuple[int, ...]) -> str:
    """The path of the module that holds all convolutions of a chain."""
    first, *others = (ops[i].path.split(".") for i in chain)
    depth = 0
    while all(depth < len(o) and depth < len(first) and o[depth] == first[depth] for o in others):
        depth += 1
    return ".".join(first[:depth])


def _block(kind: str, ops: Sequence[Op], chain: tuple[int, ...], path: str, module: str) -> Block:
    """The block of a chain of convolutions, with the convolution that would stand for it."""
    sites = [site for i in chain if (site := ops[i].site) is not None]
    depthwise = next(site for site in sites if site.depthwise)
    site = replace(
        depthwise,
        M=sites[0].M,
        N=sites[-1].N,
        groups=1,
        bias=sites[-1].bias,
        in_size=sites[0].in_size,
        out_size=sites[-1].out_size,
    )
    return Block(kind, path, module, _members(ops, chain), site)


def _members(ops: Sequence[Op], chain: tuple[int, ...]) -> tuple[int, ...]:
    """The ops on the way from the first convolution of the chain to the last, gates included."""
    inside = {chain[0]}
    for index in range(chain[0] + 1, chain[-1] + 1):
        if inside & set(ops[index].inputs):
            inside.add(index)
    # what the last one does not depend on has left the block
    needed = {chain[-1]}
    for index in sorted(inside, reverse=True):
        if index in needed:
            needed |= inside & set(ops[index].inputs)
    return tuple(sorted(needed))
