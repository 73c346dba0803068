"""Rule × kind → the rewritten network: which sites become what, and why the others stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from dualcost.errors import IndivisibleError, UsageError
from dualcost.kinds.recipe import ConvKind
from dualcost.network.cost import Cost
from dualcost.network.network import Block, Network, Op
from dualcost.network.site import ConvSite
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Rewrite
from dualcost.rewrite.rule import Candidate, Rule


@dataclass(frozen=True)
class Replacement:
    """One site that becomes another: `ops` go, and the recipe at `site` costs `cost`.

    `note` says how an indivisible G or P was handled there; "" if it was not needed.
    """

    ops: tuple[int, ...]
    path: str
    module: str
    block: str
    site: ConvSite
    kind: ConvKind
    divisor: int
    cost: Cost
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """What became of one candidate, for --explain: replaced, or kept and why."""

    candidate: Candidate
    replaced: bool
    reason: str


@dataclass(frozen=True)
class Rewritten:
    """A network, what is replaced in it, what became of each candidate, what stands in the way."""

    network: Network
    asked: Rewrite
    replacements: tuple[Replacement, ...]
    decisions: tuple[Decision, ...]
    problems: tuple[str, ...] = ()

    def checked(self) -> Rewritten:
        """Itself, if it can be carried out.

        Raises:
            IndivisibleError: the policy is to refuse, and G or P does not divide some channels.
            UsageError: the rule matches nothing.
        """
        if self.problems:
            raise _refusal(self.asked, self.problems)
        if not self.replacements:
            raise _nothing_matched(self.network, self.asked)
        return self


def candidates(network: Network, rule: Rule) -> Iterator[tuple[Candidate, tuple[int, ...]]]:
    """The sites that a rule is asked about, each with the ops that it stands for."""
    first = network.convolutions[0] if network.convolutions else -1
    if rule.wants_blocks:
        for block in network.blocks:
            yield _of_block(block, first), block.ops
    else:
        for index in network.convolutions:
            op = network.ops[index]
            assert op.site is not None
            yield Candidate(op.path, op.module, "", index == first, op.site), (index,)


def _of_block(block: Block, first: int) -> Candidate:
    return Candidate(block.path, block.module, block.kind, first in block.ops, block.site)


def rewrite(network: Network, asked: Rewrite) -> Rewritten:
    """Replace what the rule names; call `checked()` on the result before its costs are used."""
    replacements: list[Replacement] = []
    decisions: list[Decision] = []
    problems: list[str] = []
    taken: set[int] = set()
    for candidate, ops in candidates(network, asked.rule):
        divisor, note, problem = 0, "", ""
        reason = _kept_because(network, asked, candidate, ops, taken)
        if not reason:
            chosen, number, named = _wanted(asked, candidate)
            divisor, note, problem = _divisor_at(asked, candidate, chosen, number, named)
            if problem:
                problems.append(f"{candidate.path}: {problem}")
            elif divisor:
                taken.update(ops)
                replacements.append(_replace(asked, candidate, ops, chosen, divisor, note))
        decisions.append(Decision(candidate, bool(divisor), reason or problem or note))
    return Rewritten(network, asked, tuple(replacements), tuple(decisions), tuple(problems))


def _kept_because(
    network: Network, asked: Rewrite, candidate: Candidate, ops: tuple[int, ...], taken: set[int]
) -> str:
    """Why a candidate stays as it is; "" if it is to be replaced."""
    term = asked.rule.refusal(candidate)
    if term is not None:
        return term.describe(candidate)
    if taken & set(ops):
        return "overlaps a block that is replaced already"
    if computes_weight(network, ops):
        return "its weight is computed, not a parameter"
    exemption = _exemption(asked, candidate)
    return f"kept by “{exemption}”" if exemption and exemption.divisor is None else ""


def computes_weight(network: Network, ops: tuple[int, ...]) -> bool:
    """Whether a convolution among these ops has a weight that is no parameter of its own."""
    return any(_computes_weight(network, network.ops[index]) for index in ops)


def _computes_weight(network: Network, op: Op) -> bool:
    """A convolution whose weight is not the first parameter that it reads; a bias may be one."""
    if op.site is None:
        return False
    return not op.parameters or network.sizes[op.parameters[0]] != op.site.weights


def _exemption(asked: Rewrite, candidate: Candidate) -> Exemption | None:
    holding = (e for e in asked.exemptions if e.rule.refusal(candidate) is None)
    return next(holding, None)


def _wanted(asked: Rewrite, candidate: Candidate) -> tuple[ConvKind, int, str]:
    """The kind for one site, its G or P, and a note if an exemption says so."""
    exemption = _exemption(asked, candidate)
    if exemption is None or exemption.divisor is None:
        return asked.kind, asked.divisor, ""
    note = f"{exemption.change} by “{exemption}”"
    return exemption.kind or asked.kind, exemption.divisor, note


def _divisor_at(
    asked: Rewrite, candidate: Candidate, chosen: ConvKind, divisor: int, note: str
) -> tuple[int, str, str]:
    """G or P at one site (0: it is kept), a note if it is not the one asked for, or a problem."""
    letter = chosen.letter
    M, N = candidate.site.M, candidate.site.N
    try:
        chosen.check(M, N, divisor)
        return divisor, note, ""
    except IndivisibleError as error:
        problem = error.message
    if asked.indivisible.policy == "keep":
        return 0, f"kept: {problem}", ""
    if asked.indivisible.policy == "gcd":
        shared = gcd(divisor, M, N)
        return shared, f"{letter}={shared}: {problem}", ""
    fallback = asked.indivisible.fallback
    if fallback and M % fallback == 0 and N % fallback == 0:
        return fallback, f"{letter}={fallback}: {problem}", ""
    if fallback:
        problem += f", nor is M={M}, N={N} by the fallback {fallback}"
    return 0, "", problem


def _replace(
    asked: Rewrite,
    candidate: Candidate,
    ops: tuple[int, ...],
    chosen: ConvKind,
    divisor: int,
    note: str,
) -> Replacement:
    bias = None if asked.bias == "keep" else False
    return Replacement(
        ops=ops,
        path=candidate.path,
        module=candidate.module,
        block=candidate.block,
        site=candidate.site,
        kind=chosen,
        divisor=divisor,
        cost=chosen.at(candidate.site, divisor, bias),
        note=note,
    )


def _refusal(asked: Rewrite, refused: tuple[str, ...]) -> IndivisibleError:
    shown = "; ".join(refused[:3]) + (f"; and {len(refused) - 3} more" if refused[3:] else "")
    letter = asked.kind.letter or "G or P"
    return IndivisibleError(
        shown,
        f"choose another {letter}, or say what to do there: --indivisible keep, gcd or fallback:N",
    )


def _nothing_matched(network: Network, asked: Rewrite) -> UsageError:
    kinds = sorted({block.kind for block in network.blocks})
    hint = "--explain lists every site and the term that refused it"
    if kinds and not asked.rule.wants_blocks:
        hint += f"; this network has blocks: try --where {' or --where '.join(kinds)}"
    return UsageError(f"nothing in {network.name} matches “{asked.rule}”", hint)
