"""What independent witnesses' counts of a built model say about ours.

Convolutions, linear layers and matrix products must agree to the integer, or differ by exactly
what a witness is known to leave out; the rest is named by op.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch.utils.flop_counter import flop_registry

from dualcost.costs.profile import Profile
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL, Network, Op
from dualcost.network.ops import OPERATORS
from dualcost.nn.verify.witnesses import GROUPS, NUMEL, TORCH, WHOLE, Witness

AGREES, EXPLAINED, UNEXPLAINED = "agrees", "explained", "unexplained"
DIFFERS = "differs"  # from a counter that is no witness
# What fvcore counts besides, by its own names, in words.
BESIDES = {
    operator.fvcore.name or name: operator.fvcore.title
    for name, operator in OPERATORS.items()
    if operator.fvcore.title
}
_COUNTED_BY_TORCH = frozenset(str(op).rpartition(".")[2] for op in flop_registry)
# Layers that are one op to fvcore's tracer.
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@dataclass(frozen=True)
class Check:
    """One quantity as we have it and as a witness has it, and a verdict with its reason."""

    quantity: str
    witness: str
    ours: int
    theirs: int
    verdict: str
    why: str = ""

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        return self.theirs - self.ours


def compare(
    profile: Profile, network: Network, said: Sequence[Witness], numel: int
) -> tuple[Check, ...]:
    """Hold a profile's totals (convention "torch") against the witnesses that could count.

    The ops of `network` explain what they leave out; `numel` is of the built model's parameters.
    """
    ours = profile.after.params
    checks = [Check("parameters", NUMEL, ours, numel, AGREES if ours == numel else UNEXPLAINED)]
    for witness in said:
        if WHOLE in witness.counts:
            checks.append(_whole(profile, witness))
        elif not witness.failure:
            checks += _products(profile, network, witness)
            checks += _besides(witness)
    return tuple(checks)


def _whole(profile: Profile, witness: Witness) -> Check:
    """One number of a counter that looks at modules: it shows a difference, and judges none."""
    ours, theirs = profile.after.macs, witness.counts[WHOLE]
    if ours == theirs:
        return Check(WHOLE, witness.name, ours, theirs, AGREES)
    why = "counters of modules give one number, without reasons by op; they judge nothing"
    return Check(WHOLE, witness.name, ours, theirs, DIFFERS, why)


def _products(profile: Profile, network: Network, witness: Witness) -> list[Check]:
    """Convolutions, linear layers and matrix products, which must agree."""
    found = []
    for group in (CONVOLUTION, LINEAR, MATMUL):
        ours = sum(row.after.macs for row in profile.rows if row.group == group)
        theirs = witness.macs(group)
        verdict = AGREES if ours == theirs else UNEXPLAINED
        check = Check(group, witness.name, ours, theirs, verdict)
        left_out = _left_out(network, witness, (group,))
        if check.difference and check.difference == -sum(left_out.values()):
            check = replace(check, verdict=EXPLAINED, why=_leaves_out(witness, left_out))
        if check.verdict == UNEXPLAINED and network.notes and profile.rewrite is not None:
            why = "what runs depends on values, and new weights make others"
            check = replace(check, verdict=EXPLAINED, why=why)
        if check.ours or check.theirs:
            found.append(check)
    return _together(network, witness, found)


def _together(network: Network, witness: Witness, checks: list[Check]) -> list[Check]:
    """Who cannot see which factors are learnt may agree on linear and matmul only as a sum."""
    both = [check for check in checks if check.quantity in (LINEAR, MATMUL)]
    left_out = _left_out(network, witness, (LINEAR, MATMUL))
    difference = sum(check.difference for check in both)
    if all(check.verdict != UNEXPLAINED for check in both) or difference != -sum(left_out.values()):
        return checks
    why = f"{witness.name} does not know which factors are learnt: linear and matmul together agree"
    if left_out:
        why += f", and {_leaves_out(witness, left_out)}"
    return [
        replace(c, verdict=EXPLAINED, why=why) if c in both and c.difference else c for c in checks
    ]


def _left_out(network: Network, witness: Witness, groups: Sequence[str]) -> dict[str, int]:
    """MACs of the ops of some groups that this witness is known not to count, by name."""
    found: Counter[str] = Counter()
    for op in network.ops:
        if op.macs and op.group in groups and (name := _unknown_to(witness, op)):
            found[name] += op.macs
    return dict(found)


def _unknown_to(witness: Witness, op: Op) -> str:
    """What a witness would call an op of ours that it does not count; "" if it counts it."""
    name = op.name.rstrip("_")
    if witness.name == TORCH:
        return "" if name in _COUNTED_BY_TORCH else name
    if op.module in ("LSTM", "GRU", "RNN"):
        return next((missed for missed in witness.missed if missed in RECURRENT), "")
    name = (OPERATORS[name].fvcore.name if name in OPERATORS else "") or name
    return name if name in witness.missed else ""


def _leaves_out(witness: Witness, left_out: dict[str, int]) -> str:
    named = ", ".join(f"{name}: -{macs:,}" for name, macs in left_out.items())
    return f"{witness.name} does not count {named}"


def _besides(witness: Witness) -> Iterator[Check]:
    """Whatever else a witness counts; by our convention these are no multiply-accumulates."""
    for op, macs in witness.counts.items():
        if op in GROUPS or not macs:
            continue
        known = BESIDES.get(op, "")
        why = f"{witness.name} counts {known}: +{macs:,}" if known else ""
        yield Check(op, witness.name, 0, macs, EXPLAINED if known else UNEXPLAINED, why)
