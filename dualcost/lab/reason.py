"""Why a replaced layer's time is not what its MACs say: facts → one plain sentence.

Time that MACs do not explain is what exceeds their ratio: in the convolutions, in re-orders, in the
ops that join parts, and in the calls themselves. The sentence is about the largest of these.
"""

from __future__ import annotations

from dualcost.lab.explanation import ExplainedLayer
from dualcost.lab.onednn import GEMM, REFERENCE, TORCH, Step
from dualcost.latency.estimate import COMPUTE, MEMORY
from dualcost.units import percent, speed

# Times within so much of what MACs say follow them: a few forwards tell no finer.
CLOSE = 0.15
NEARLY = 0.5
SLOW = (GEMM, REFERENCE)
CONVOLVING, REORDERING, JOINING, CALLING = "convolving", "re-ordering", "joining", "calling"


def reason(layer: ExplainedLayer) -> str:
    """One sentence: what the time does beside the MACs, why, and which G or P would be faster."""
    strayed = layer.time_ratio / layer.macs_ratio - 1
    if abs(strayed) <= CLOSE:
        why = "time follows MACs"
    elif strayed < 0:
        why = _gain(layer)
    else:
        why = _loss(layer)
    return f"{why}; {_better(layer)}" if layer.better else why


def _better(layer: ExplainedLayer) -> str:
    """Which G or P: “G=8 (~0.54) is predicted faster here”."""
    named = [f"{layer.kind.letter}={one.divisor} (~{one.ratio:.2f})" for one in layer.better]
    return f"{' and '.join(named)} {'are' if named[1:] else 'is'} predicted faster here"


def excesses(layer: ExplainedLayer) -> dict[str, float]:
    """Seconds by which each share of the time exceeds the ratio of MACs; negative ones fell more.

    The keys are CONVOLVING, REORDERING, JOINING and CALLING; the sum is that of the forwards'.
    """
    before, after = layer.ran
    left = layer.macs_ratio
    return {
        CONVOLVING: after.kernel_s - left * before.kernel_s,
        REORDERING: after.reorder_s - left * before.reorder_s,
        JOINING: after.joining_s - left * before.joining_s,
        CALLING: after.calling_s - left * before.calling_s,
    }


def _loss(layer: ExplainedLayer) -> str:
    found = excesses(layer)
    largest = max(found, key=lambda name: found[name])
    after = layer.ran[1]
    if largest == REORDERING:
        share = percent(after.reorder_s / after.seconds)
        format = "channels_last" if layer.channels_last else "contiguous"
        what = "maps and weights" if _reorders_weights(layer) else "maps"
        return f"re-orders of {what} ({format} format) take {share} of its time, whatever the MACs"
    if largest == JOINING:
        names = ", ".join(
            dict.fromkeys(step.op.rstrip("_") for step in after.steps if step.kernel is None)
        )
        share = percent(after.joining_s / after.seconds)
        return f"what joins its parts ({names}) takes {share} of its time, and no MACs"
    if largest == CALLING:
        share = percent(after.calling_s / after.seconds)
        kernels = len(after.convolutions)
        calls = f"calling its {kernels} kernels" if kernels > 1 else "the call of its kernel"
        return f"{calls} takes {share} of its time, whatever the MACs"
    return _slower(layer)


def _reorders_weights(layer: ExplainedLayer) -> bool:
    return any(one.weights for step in layer.ran[1].convolutions for one in step.reorders)


def _slower(layer: ExplainedLayer) -> str:
    """Why the convolutions run fewer MACs a second than before."""
    old = layer.ran[0].slowest
    new = _worst(layer)
    before, after = old.kernel, new.kernel
    assert before is not None and after is not None  # both convolve
    name = after.name
    if new.groups > 1:
        kernels = [step.kernel for step in layer.ran[0].convolutions if step.kernel]
        vectors = [kernel.name for kernel in kernels if kernel.vector]
        if after.family in SLOW and vectors:
            return f"{_groups(new)}: {name} instead of a vector kernel ({vectors[0]})"
        if after.padded and new.per_group < after.block:
            return f"{_groups(new)}: they are padded to {after.block} for the kernel {name}"
        if after.vector and before.vector and after.family != before.family:
            return f"{_groups(new)}: {name} instead of {before.name}"
        if after.name == before.name and after.block < before.block:
            return f"{_groups(new)}: vectors of {after.block} channels instead of {before.block}"
    if layer.predicted and [one.bound for one in layer.predicted] == [COMPUTE, MEMORY]:
        return "its maps now take longer to read and write than its MACs to compute"
    return f"{_slow_part(new)} {_rate(new)}, where {_part(old)} ({before.name}) ran {_rate(old)}"


def _gain(layer: ExplainedLayer) -> str:
    """Why less is left of the time than of the MACs."""
    found = excesses(layer)
    least = min(found, key=lambda name: found[name])
    before, after = layer.ran
    if least == REORDERING:
        return (
            f"re-orders took {percent(before.reorder_s / before.seconds)} of the time before and "
            f"take {percent(after.reorder_s / after.seconds)} now"
        )
    if least == JOINING:
        share = percent(before.joining_s / before.seconds)
        return f"what left with the block took {share} of its time, and few MACs"
    if least == CALLING:
        share = percent(before.calling_s / before.seconds)
        return f"the calls of its kernels took {share} of its time before"
    old, new = before.slowest, after.slowest
    assert old.kernel is not None and new.kernel is not None  # both convolve
    if old.kernel.family in (*SLOW, TORCH) and new.kernel.vector:
        return f"a vector kernel ({new.kernel.name}) instead of {_called(old)}"
    return (
        f"{_slow_part(new)} {_rate(new)}, where {_part(old)} ({old.kernel.name}) ran {_rate(old)}"
    )


def _worst(layer: ExplainedLayer) -> Step:
    """The convolution that exceeds most what its MACs took before.

    A grouped one goes first if it exceeds them nearly as much: its groups are what was chosen.
    """
    before, after = layer.ran
    pace = before.kernel_s / sum(step.macs for step in before.convolutions)

    def excess_s(step: Step) -> float:
        weight = 1.0 if step.groups > 1 else NEARLY
        return weight * (step.kernel_s - pace * step.macs)

    return max(after.convolutions, key=excess_s)


def _groups(step: Step) -> str:
    """What is left for a group: “64 channels in 32 groups leave 2 per group”."""
    channels = step.channels[0]
    both = channels if step.channels[1] == channels else f"{channels}→{step.channels[1]}"
    return f"{both} channels in {step.groups} groups leave {step.per_group} per group"


def _part(step: Step) -> str:
    return f"the {'×'.join(map(str, step.size))}"


def _slow_part(step: Step) -> str:
    return f"{_part(step)} ({_called(step)}) runs"


def _called(step: Step) -> str:
    """The name of its kernel."""
    assert step.kernel is not None
    if step.kernel.family != TORCH:
        return step.kernel.name
    return "torch's own kernel" if max(step.size) > 1 else "torch's own matrix product"


def _rate(step: Step) -> str:
    return speed(step.macs / step.kernel_s)
