"""Rule × kind → the rewritten network: which sites become what, and why the others stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from dualcost.errors import IndivisibleError, UsageError
from dualcost.kinds.kinds import ConvKind, divisor_of, kind
from dualcost.network.cost import Cost
from dualcost.network.site import Block, ConvSite, Network, Op
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.rule import NAMED_RULES, Candidate, Rule

POLICIES = ("refuse", "keep", "gcd", "fallback:N")
BIASES = ("keep", "drop")


@dataclass(frozen=True)
class Indivisible:
    """What happens where G or P does not divide the channels: refuse, keep, gcd, or fallback:N."""

    policy: str = "refuse"
    fallback: int = 0

    @classmethod
    def parse(cls, text: str) -> Indivisible:
        """Read "refuse", "keep", "gcd" or "fallback:8".

        Raises:
            UsageError: it is none of them.
        """
        policy, _, number = text.partition(":")
        if policy == "fallback" and number.isdecimal() and int(number):
            return cls(policy, int(number))
        if text in ("refuse", "keep", "gcd"):
            return cls(text)
        raise UsageError(
            f"{text!r} does not say what to do with indivisible channels",
            f"one of {', '.join(POLICIES)}, such as fallback:8",
        )

    def __str__(self) -> str:
        return f"{self.policy}:{self.fallback}" if self.fallback else self.policy


@dataclass(frozen=True)
class Rewrite:
    """What is asked for: a kind, its G or P, where, and what to do at the edges.

    Attributes:
        kind: the kind that replaces.
        divisor: G or P; 1 for a kind without.
        rule: which sites are replaced.
        indivisible: what happens where G or P does not divide the channels.
        bias: "keep" gives the new convolution a bias where the old one had it; "drop" gives none.
        exemptions: sites with another kind, G or P, or kept; the first that holds wins.
    """

    kind: ConvKind
    divisor: int = 1
    rule: Rule = field(default_factory=lambda: Rule.parse(NAMED_RULES["default"]))
    indivisible: Indivisible = field(default_factory=Indivisible)
    bias: str = "keep"
    exemptions: tuple[Exemption, ...] = ()

    def __post_init__(self) -> None:
        """Check G or P, and the word for biases.

        Raises:
            UsageError: G or P is not positive, or the word is not one of BIASES.
        """
        if self.divisor < 1:
            raise UsageError(f"{self} is not positive", "give 1, 2, 4, …")
        if self.bias not in BIASES:
            raise UsageError(f"bias {self.bias!r} is not known", f"one of {', '.join(BIASES)}")

    @classmethod
    def parse(
        cls,
        conv: str | ConvKind | Rewrite,
        G: int | None = None,
        P: int | None = None,
        where: str = "default",
        indivisible: str = "refuse",
        bias: str = "keep",
        but: tuple[str, ...] = (),
    ) -> Rewrite:
        """Make a rewrite of the words that users write; one that is made already is taken whole.

        Raises:
            UsageError: one of them does not fit, or stands beside a whole rewrite.
        """
        if isinstance(conv, Rewrite):
            beside = (G, P, where, indivisible, bias, but)
            if beside != (None, None, "default", "refuse", "keep", ()):
                raise UsageError(
                    f"{conv} is a whole rewrite, and other words stand beside it",
                    "leave G, P, where, but, indivisible and bias out",
                )
            return conv
        chosen = kind(conv)
        return cls(
            kind=chosen,
            divisor=divisor_of(chosen, G, P),
            rule=Rule.parse(where),
            indivisible=Indivisible.parse(indivisible),
            bias=bias,
            exemptions=tuple(Exemption.parse(text, chosen) for text in but),
        )

    def words(self) -> dict[str, Any]:
        """The words of which `parse` makes the same again, without those that it assumes."""
        where = next((n for n in NAMED_RULES if Rule.parse(n) == self.rule), str(self.rule))
        said: dict[str, Any] = {"conv": self.kind.name}
        if self.kind.letter:
            said[self.kind.letter] = self.divisor
        usual = {"where": "default", "indivisible": "refuse", "bias": "keep", "but": ()}
        given = {
            "where": where,
            "indivisible": str(self.indivisible),
            "bias": self.bias,
            "but": tuple(str(exemption) for exemption in self.exemptions),
        }
        return said | {name: word for name, word in given.items() if word != usual[name]}

    def __str__(self) -> str:
        named = any(one.kind is not None for one in self.exemptions)
        return self.kind.label(self.divisor) + (" and others" if named else "")


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
