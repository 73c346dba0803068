"""Rule × kind → the rewritten network: which sites become what, and why the others stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from dualcost.errors import IndivisibleError, UsageError
from dualcost.kinds.choice import Choice
from dualcost.kinds.recipe import ConvKind
from dualcost.network.cost import Cost
from dualcost.network.network import Network, Op
from dualcost.network.site import ConvSite
from dualcost.rewrite.decision import (
    ComputedWeight,
    Decision,
    FailedTerm,
    Indivisibility,
    Outcome,
    Overlap,
    Reason,
)
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Bias, Policy, Request
from dualcost.rewrite.rule import Candidate, Rule


@dataclass(frozen=True)
class Replacement:
    """One site that becomes another: `ops` go, and the recipe at `site` costs `cost`.

    `reason` says why its kind, G or P is not the request's own; None: it is.
    """

    ops: tuple[int, ...]
    path: str
    module: str
    block: str
    site: ConvSite
    kind: ConvKind
    divisor: int
    cost: Cost
    reason: Reason | None = None


@dataclass(frozen=True)
class Rewritten:
    """A network, what is replaced in it, and what became of each candidate."""

    network: Network
    request: Request
    replacements: tuple[Replacement, ...]
    decisions: tuple[Decision, ...]

    @property
    def refused(self) -> tuple[Decision, ...]:
        """What stands in the way."""
        return tuple(decision for decision in self.decisions if decision.outcome is Outcome.REFUSED)

    def checked(self) -> Rewritten:
        """Itself, if it can be carried out.

        Raises:
            IndivisibleError: the policy is to refuse, and G or P does not divide some channels.
            UsageError: the rule matches nothing.
        """
        if self.refused:
            raise _refusal(self.request, self.refused)
        if not self.replacements:
            raise _nothing_matched(self)
        return self


def candidates(network: Network, rule: Rule) -> Iterator[tuple[Candidate, tuple[int, ...]]]:
    """The sites that a rule is asked about, each with the ops that it stands for."""
    if rule.wants_blocks:
        for block in network.blocks:
            first = not network.first.isdisjoint(block.ops)
            yield Candidate(block.path, block.module, block.kind, first, block.site), block.ops
    else:
        for index in network.convolutions:
            op = network.ops[index]
            assert op.site is not None
            first = index in network.first
            yield Candidate(op.path, op.module, "", first, op.site), (index,)


def rewrite(network: Network, request: Request) -> Rewritten:
    """Replace what the rule names; call `checked()` on the result before its costs are used."""
    replacements: list[Replacement] = []
    decisions: list[Decision] = []
    taken: set[int] = set()
    for candidate, ops in candidates(network, request.rule):
        reason = _kept_because(network, request, candidate, ops, taken)
        if reason is None:
            decision, choice = _decided(request, candidate)
        else:
            decision, choice = Decision(candidate, Outcome.KEPT, reason), None
        decisions.append(decision)
        if choice:
            taken.update(ops)
            replacements.append(_replacement(request, decision, ops, choice))
    return Rewritten(network, request, tuple(replacements), tuple(decisions))


def _kept_because(
    network: Network, request: Request, candidate: Candidate, ops: tuple[int, ...], taken: set[int]
) -> Reason | None:
    """Why a candidate stays as it is; None if it is to be replaced."""
    term = request.rule.refusal(candidate)
    if term is not None:
        return FailedTerm(term, candidate.value(term.field))
    if taken & set(ops):
        return Overlap()
    if computes_weight(network, ops):
        return ComputedWeight()
    exemption = _exemption(request, candidate)
    return exemption if exemption and exemption.divisor is None else None


def computes_weight(network: Network, ops: tuple[int, ...]) -> bool:
    """Whether a convolution among these ops has a weight that is no parameter of its own."""
    return any(_computes_weight(network, network.ops[index]) for index in ops)


def _computes_weight(network: Network, op: Op) -> bool:
    """A convolution whose weight is not the first parameter that it reads; a bias may be one."""
    if op.site is None:
        return False
    return not op.parameters or network.sizes[op.parameters[0]] != op.site.weights


def _exemption(request: Request, candidate: Candidate) -> Exemption | None:
    holding = (e for e in request.exemptions if e.rule.refusal(candidate) is None)
    return next(holding, None)


def _decided(request: Request, candidate: Candidate) -> tuple[Decision, Choice | None]:
    """What becomes of a site that is to be replaced, and by what; None: it is not."""
    wanted = Choice(request.kind, request.divisor)
    exemption = _exemption(request, candidate)
    if exemption and exemption.divisor is not None:
        wanted = Choice(exemption.kind or request.kind, exemption.divisor)
    M, N = candidate.site.M, candidate.site.N
    misfit = wanted.kind.misfit(M, N, wanted.divisor)
    if misfit is None:
        return Decision(candidate, Outcome.REPLACED, exemption), wanted
    instead, fallback = 0, request.indivisible.fallback
    if request.indivisible.policy is Policy.KEEP:
        return Decision(candidate, Outcome.KEPT, Indivisibility(misfit)), None
    if request.indivisible.policy is Policy.GCD:
        instead = gcd(wanted.divisor, M, N)
    elif fallback and M % fallback == 0 and N % fallback == 0:
        instead = fallback
    if instead:
        reason = Indivisibility(misfit, instead)
        return Decision(candidate, Outcome.REPLACED, reason), Choice(wanted.kind, instead)
    return Decision(candidate, Outcome.REFUSED, Indivisibility(misfit, 0, fallback)), None


def _replacement(
    request: Request, decision: Decision, ops: tuple[int, ...], choice: Choice
) -> Replacement:
    candidate = decision.candidate
    bias = None if request.bias is Bias.KEEP else False
    return Replacement(
        ops=ops,
        path=candidate.path,
        module=candidate.module,
        block=candidate.block,
        site=candidate.site,
        kind=choice.kind,
        divisor=choice.divisor,
        cost=choice.kind.at(candidate.site, choice.divisor, bias),
        reason=decision.reason,
    )


def _refusal(request: Request, refused: tuple[Decision, ...]) -> IndivisibleError:
    shown = "; ".join(f"{decision.candidate.path}: {decision.reason}" for decision in refused[:3])
    more = f"; and {len(refused) - 3} more" if refused[3:] else ""
    letter = request.kind.letter or "G or P"
    return IndivisibleError(
        shown + more,
        f"choose another {letter}, or say what to do there: --indivisible keep, gcd or fallback:N",
    )


def _nothing_matched(rewritten: Rewritten) -> UsageError:
    network, request = rewritten.network, rewritten.request
    kinds = sorted({block.kind for block in network.blocks})
    usual = Rule.replacing("")
    own = Rule(tuple(term for term in request.rule.terms if term not in usual.terms))
    fitting = [one for one in rewritten.decisions if own.refusal(one.candidate) is None]
    if own.terms and fitting and {*usual.terms} <= {*request.rule.terms}:
        terms = {str(one.reason.term) for one in fitting if isinstance(one.reason, FailedTerm)}
        return UsageError(
            f"nothing in {network.name} matches “{request.rule}”",
            f"{len(fitting)} fit “{own}”, but not {' or '.join(sorted(terms))}, which the default "
            f"rule wants: write “kernel>0 {own}” to take them",
        )
    hint = "--sites lists every site and the term that refused it"
    if kinds and not request.rule.wants_blocks:
        hint += f"; this network has blocks: try --where {' or --where '.join(kinds)}"
    return UsageError(f"nothing in {network.name} matches “{request.rule}”", hint)
