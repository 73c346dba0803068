"""Models and variants → a race, and the race run in a process of its own → a Comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualcost import process
from dualcost.costs.profile import profile
from dualcost.errors import UnmeasuredError
from dualcost.lab.measurement import Comparison, Run, Sample
from dualcost.lab.race import DTYPES, Conditions, Contender, Race, Variant, field_of
from dualcost.latency.machine import Machine
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS
from dualcost.network.network import Network, TensorSpec
from dualcost.network.resize import Sides
from dualcost.rewrite.subject import Subject
from dualcost.units import memory

NANOSECOND = 1e-9
LEAST_ROUNDS = 2  # below that there are no halves to compare
CGROUP = Path("/sys/fs/cgroup")  # of a container whose memory is limited
LIBRARIES_BYTES = 400 * 2**20  # of a process that has imported torch


@dataclass(frozen=True)
class Progress:
    """How far a race is: what it does, and how much longer it may take.

    Attributes:
        stage: what it is about to do, or "measuring".
        rounds: how many are done.
        elapsed_s: seconds of measuring.
        spread: by what share a ratio last differed between halves; None before that is known.
        remaining_s: at most so much more.
    """

    stage: str
    rounds: int = 0
    elapsed_s: float = 0.0
    spread: float | None = None
    remaining_s: float = 0.0


Watcher = Callable[[Progress], None]


def race(
    models: Sequence[str | Subject],
    variants: Sequence[Variant] = (),
    conditions: Conditions | None = None,
    *,
    inputs: Sequence[TensorSpec] = (),
    batch: int | None = None,
    target: float = 0.02,
    budget_s: float = 60.0,
    by_layer: bool = False,
    announce: library.Announce = lambda message: None,
    imgsz: Sides | None = None,
) -> Race:
    """Each model as it is and in each variant, with their costs, and the controls.

    A subject with a request of its own runs as that says, and in no variant.

    Args:
        models: names, or subjects.
        variants: what is replaced.
        conditions: how each is run.
        inputs: what each is run on; () takes what is known for it.
        batch: replaces the first number of every input's shape.
        target: it may end when its halves differ by less than this share of one.
        budget_s: seconds of measuring after which it ends anyway.
        by_layer: stamp every layer.
        announce: told what is about to take a while.
        imgsz: replaces height and width of every image.

    Raises:
        DualcostError: a word does not fit, or a model cannot be traced.
    """
    conditions = conditions or Conditions()
    subjects = [one if isinstance(one, Subject) else Subject(one) for one in models]
    contenders = [
        contender(network, variant, conditions.dtype)
        for subject in subjects
        for network in [library.load(subject.model, inputs, batch, announce, imgsz=imgsz)]
        for variant in (Variant(subject.request), *(() if subject.request else variants))
    ]
    field = tuple(field_of(contenders, conditions.modes))
    return Race(field, conditions, target, budget_s, by_layer)


def contender(network: Network, variant: Variant, dtype: str = "float32") -> Contender:
    """A network in a variant, with its costs.

    Raises:
        DualcostError: a word of the variant does not fit the network.
    """
    result = profile(network, variant.request, CONVENTIONS["torch"])
    itemsize = DTYPES[dtype]  # what was traced has 4
    buffers = sum(buffer.nbytes for buffer in result.buffers)
    return Contender(
        model=network.name,
        inputs=network.inputs,
        variant=variant,
        macs=result.after.macs,
        params=result.after.params,
        weight_bytes=(result.after.weight_bytes + buffers) * itemsize // 4,
        activation_bytes=result.peak[1].nbytes * itemsize // 4,
    )


def run(asked: Race, watch: Watcher = lambda progress: None) -> Comparison:
    """Run a race in a fresh process.

    Ctrl-C ends it, and what was measured until then is the result (`ended` is "interrupted").

    Args:
        asked: the race.
        watch: told how far it is.

    Raises:
        DualcostError: a contender cannot be built or run.
        UnmeasuredError: it does not fit into memory, or the process died.
        KeyboardInterrupt: Ctrl-C, before there was a result.
    """
    if asked.conditions.device == "cpu":
        asked = _within_memory(asked)
    heard = _Heard(asked)
    stream = process.events("dualcost.lab.child.bench", asked.to_json(), asked.conditions.threads)
    try:
        for event in stream:
            watch(heard.take(event))
    except KeyboardInterrupt:
        if heard.rounds < LEAST_ROUNDS:
            raise
        heard.ended = "interrupted"
    finally:
        stream.close()
    return heard.comparison()


class _Heard:
    """What the measuring process has said so far."""

    def __init__(self, asked: Race) -> None:
        self.asked = asked
        self.ended = ""
        self.elapsed_s = 0.0
        self.spread: float | None = None
        self._start: dict[str, Any] = {}
        self._samples: list[list[Sample]] = []

    @property
    def rounds(self) -> int:
        return len(self._samples[0]) if self._samples else 0

    def take(self, event: dict[str, Any]) -> Progress:
        """Keep what an event says, and say how far the race is."""
        if "stage" in event:
            return Progress(event["stage"])
        if "machine" in event:
            self._start = event
            self._samples = [[] for _ in event["ready"]]
        if "rounds" in event:
            for records in event["rounds"]:
                for samples, record in zip(self._samples, records, strict=True):
                    samples.append(_sample(*record))
            self.elapsed_s = event["elapsed_s"]
            self.spread = event.get("spread", self.spread)
        self.ended = event.get("ended", self.ended)
        return Progress(
            "measuring", self.rounds, self.elapsed_s, self.spread, max(0.0, self._remaining_s())
        )

    def _remaining_s(self) -> float:
        """An error falls with the root of the rounds, as long as the budget lasts."""
        budget_s = self.asked.budget_s - self.elapsed_s
        if self.spread is None:
            return budget_s
        return min(budget_s, self.elapsed_s * ((self.spread / self.asked.target) ** 2 - 1))

    def comparison(self) -> Comparison:
        if self.rounds < LEAST_ROUNDS:
            raise UnmeasuredError("the measuring process ended before it measured", "try again")
        contenders = [self.asked.contenders[index] for index in self._start["ready"]]
        runs = (
            Run(contender, tuple(samples), tuple(places))
            for contender, samples, places in zip(
                contenders, self._samples, self._start["places"], strict=True
            )
        )
        return Comparison(
            race=self.asked,
            runs=tuple(runs),
            machine=Machine.from_json(self._start["machine"]),
            elapsed_s=self.elapsed_s,
            ended=self.ended,
            settings=self._start["settings"],
            notes=tuple(self._start["notes"]),
        )


def _sample(segments: list[int], wall_ns: int, switches: int) -> Sample:
    segments_s = tuple(nanoseconds * NANOSECOND for nanoseconds in segments)
    return Sample(segments_s, wall_ns * NANOSECOND, switches)


def _within_memory(asked: Race) -> Race:
    """The race with as many homes as fit into half of the memory that it leaves free.

    All contenders are loaded together, and one has activations at a time.

    Raises:
        UnmeasuredError: there is less memory than that.
    """
    needed = LIBRARIES_BYTES + asked.weight_bytes
    needed += max(one.activation_bytes for one in asked.contenders)
    available = min(_available())
    if needed > available:
        count = len(asked.contenders)
        raise UnmeasuredError(
            f"{count} models need about {memory(needed)} of memory, and {memory(available)} "
            "are available",
            "try a smaller --batch or --input, or fewer variants",
        )
    return replace(asked, homes_bytes=min(asked.homes_bytes, (available - needed) // 2))


def _available() -> Iterator[int]:
    """Bytes that this process may still take: of the machine, and of its container."""
    import psutil

    yield int(psutil.virtual_memory().available)
    try:
        limit, used = (
            (CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
    except OSError:
        return
    if limit.isdecimal():
        yield int(limit) - int(used)
