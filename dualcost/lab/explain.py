"""A network × a rewrite → its explanation: models are run, and predicted, to gather the facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from math import gcd

from dualcost import process
from dualcost.errors import UnknownNameError, UnmeasuredError
from dualcost.lab import bench as contest
from dualcost.lab.explanation import WORTH, Alternative, ExplainedLayer, Explanation, Steps
from dualcost.lab.measurement import Comparison
from dualcost.lab.onednn import Step, least
from dualcost.lab.race import Conditions, Contender, Race, Variant
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import Estimate, Timing, cold_share, estimate, site_seconds, total
from dualcost.latency.machine import Machine
from dualcost.latency.workload import workload
from dualcost.network.network import Network
from dualcost.rewrite.rewrite import Replacement, Rewritten, rewrite

TARGET = 0.02  # of a race


def explain(
    network: Network,
    variant: Variant,
    calibration: Calibration | None = None,
    *,
    layer: str = "",
    channels_last: bool = False,
    budget_s: float = 0.0,
    watch: contest.Watcher = lambda progress: None,
) -> Explanation:
    """Run a network before and after a rewrite, and gather what explains the times of its layers.

    Args:
        network: as traced; its name is that of a model which can be built.
        variant: what is replaced.
        calibration: of this machine; None predicts nothing.
        layer: the path of the layers to explain, a pattern as of the shell; "" takes all.
        channels_last: the memory format.
        budget_s: seconds of a race that measures; 0 runs none.
        watch: told what is about to be done.

    Raises:
        DualcostError: nothing is replaced, or the model cannot be built, converted or run.
        UnmeasuredError: this torch has no oneDNN, or there is no memory for the models.
    """
    asked = variant.request
    assert asked is not None
    rewritten = rewrite(network, asked).checked()
    modules = _modules(rewritten)
    chosen = _chosen(modules, layer)
    conditions = Conditions(channels_last=channels_last)
    machine, ran = _heard(network, variant, conditions, watch)
    comparison = None
    if budget_s:
        race = contest.race(
            [network.name], [variant], conditions, inputs=network.inputs,
            target=TARGET, budget_s=budget_s, by_layer=True,
        )  # fmt: skip
        comparison = contest.run(race, watch)
    facts = _Facts(rewritten, ran, calibration, comparison, channels_last)
    return Explanation(
        network=network.name,
        inputs=network.inputs,
        rewrite=asked,
        machine=machine,
        layers=tuple(facts.layer(path, modules[path]) for path in chosen),
        replaced=len(modules),
        channels_last=channels_last,
        calibration=calibration,
        race=comparison,
    )


def _modules(rewritten: Rewritten) -> dict[str, list[Replacement]]:
    """Replacements by module: one that runs twice is replaced once."""
    found: dict[str, list[Replacement]] = {}
    for replacement in rewritten.replacements:
        found.setdefault(replacement.path, []).append(replacement)
    return found


def _chosen(paths: Mapping[str, object], pattern: str) -> list[str]:
    """The paths that a pattern takes.

    Raises:
        UnknownNameError: it takes none.
    """
    if not pattern:
        return [*paths]
    chosen = [path for path in paths if fnmatchcase(path, pattern)]
    if not chosen:
        raise UnknownNameError(
            "replaced layer",
            pattern,
            paths,
            "`dualcost profile … --sites` lists what is replaced",
        )
    return chosen


def _heard(
    network: Network, variant: Variant, conditions: Conditions, watch: contest.Watcher
) -> tuple[Machine, list[tuple[Step, ...]]]:
    """The machine, and the steps of a forward before and after, from a fresh process."""
    contenders = (
        Contender(network.name, network.inputs),
        Contender(network.name, network.inputs, variant),
    )
    race = Race(contenders, conditions)
    machine: Machine | None = None
    ran: list[tuple[Step, ...]] = []
    for event in process.events("dualcost.lab.child.explain", race.to_json(), conditions.threads):
        if "stage" in event:
            watch(contest.Progress(event["stage"]))
        elif "machine" in event:
            machine = Machine.from_json(event["machine"])
        else:
            forwards = [[Step.from_event(step) for step in steps] for steps in event["forwards"]]
            ran.append(least(forwards))
    if machine is None or len(ran) != len(contenders):
        raise UnmeasuredError("the process that names kernels ended before it had", "try again")
    return machine, ran


class _Facts:
    """All that is known of a network before and after, from which each layer takes its part."""

    def __init__(
        self,
        rewritten: Rewritten,
        ran: Sequence[tuple[Step, ...]],
        calibration: Calibration | None,
        comparison: Comparison | None,
        channels_last: bool,
    ) -> None:
        self._network = rewritten.network
        self._ran = ran
        self._comparison = comparison
        self._channels_last = channels_last
        self._calibration = calibration
        self._estimates: list[Estimate] = []
        self._share = 1.0
        if calibration is not None:
            both = (rewritten.network, rewritten)
            self._estimates = [estimate(one, calibration, channels_last) for one in both]
            weights = sum(workload(one.executed.op).weights for one in self._estimates[1].ops)
            self._share = cold_share(weights, calibration.machine)

    def layer(self, path: str, replacements: Sequence[Replacement]) -> ExplainedLayer:
        """One module that is replaced, by one replacement for each of its calls."""
        first = replacements[0]
        indices = [index for one in replacements for index in one.ops]
        paths = dict.fromkeys(self._network.ops[index].path for index in indices)
        before, after = (
            Steps(tuple(step for step in steps if step.path in paths)) for steps in self._ran
        )
        if not before.convolutions or not after.convolutions:
            raise UnmeasuredError(
                f"no convolution of {path} was seen to run",
                "leave it out with --layer, or with another --where",
            )
        layer = ExplainedLayer(
            path=path,
            site=first.site,
            kind=first.kind,
            divisor=first.divisor,
            calls=len(replacements),
            macs=(
                sum(self._network.ops[index].macs for index in indices),
                sum(one.cost.macs for one in replacements),
            ),
            ran=(before, after),
            predicted=self._predicted(indices),
            measured=self._measured([*paths]),
            channels_last=self._channels_last,
        )
        return replace(layer, better=self._better(layer))

    def _predicted(self, indices: Sequence[int]) -> tuple[Timing, Timing] | None:
        if not self._estimates:
            return None
        before, after = (
            total(one.by_index.get(index, Timing()) for index in indices) for one in self._estimates
        )
        return before, after

    def _measured(self, paths: Sequence[str]) -> tuple[float, float] | None:
        """Undisturbed seconds; None without a race, or where it had no segment for the layer."""
        if self._comparison is None:
            return None
        sums = [0.0, 0.0]
        for layer in self._comparison.layers:
            if layer.path in paths:
                for index, seconds in enumerate(layer.seconds):
                    sums[index] += seconds or 0.0
        return (sums[0], sums[1]) if all(sums) else None

    def _better(self, layer: ExplainedLayer) -> tuple[Alternative, ...]:
        """The G or P of the least predicted time: of those that keep more weights, and of all."""
        if self._calibration is None or layer.predicted is None or not layer.kind.letter:
            return ()
        seconds = {
            divisor: site_seconds(
                layer.site, self._calibration, layer.kind, divisor,
                share=self._share, channels_last=self._channels_last,
            )
            for divisor in _divisors(layer)
        }  # fmt: skip
        enough_s = WORTH * seconds[layer.divisor]
        found = []
        for highest in (layer.divisor, max(seconds)):
            best = min((one for one in seconds if one <= highest), key=lambda one: seconds[one])
            # the second is worth a word if it beats the first as well
            if layer.predicted[0].seconds and seconds[best] < enough_s:
                ratio = layer.calls * seconds[best] / layer.predicted[0].seconds
                found.append(Alternative(best, ratio))
                enough_s = WORTH * seconds[best]
        return tuple(found)


def _divisors(layer: ExplainedLayer) -> Iterator[int]:
    """Each G or P that the layer could take."""
    M, N = layer.site.M, layer.site.N
    for divisor in range(1, gcd(M, N) + 1):
        if layer.kind.misfit(M, N, divisor) is None:
            yield divisor
