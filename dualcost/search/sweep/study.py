"""Many profiles: models × sizes × batches × rules × kinds × G or P, one trace per model and input.

`plan` makes the studies of a sweep and refuses what does not fit before any work begins; `run`
carries them out, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from dualcost.errors import DualcostError, UnknownNameError, UsageError
from dualcost.kinds.kinds import KINDS, kind
from dualcost.latency.calibration import Calibration
from dualcost.network.cost import CONVENTIONS, ratio
from dualcost.network.network import Network, TensorSpec
from dualcost.search.sweep.curve import Costing, Curve, as_it_is
from dualcost.search.sweep.rows import DONE, DOUBLING, FAILED, UNFIT, Point, Replacing, Swept

Load = Callable[[str, Sequence[TensorSpec], int | None], Network]


@dataclass(frozen=True)
class Study:
    """All points of one model at one input, for which it is traced once."""

    model: str
    size: str
    batch: int | None
    convention: str
    ways: tuple[Replacing, ...]
    divisors: Mapping[str, tuple[int, ...]]  # of each kind; (1,) for a kind without G and P

    def __len__(self) -> int:
        return 1 + len(self.ways) * sum(map(len, self.divisors.values()))

    @property
    def own(self) -> Point:
        """The network as it is."""
        return Point(self.model, self.size, self.batch, convention=self.convention)

    def points(self) -> Iterator[tuple[Point, Replacing, str, int]]:
        """Every point besides the network as it is, with its way, kind, and G or P."""
        for way in self.ways:
            asked = replace(
                self.own,
                where=way.where,
                indivisible=way.indivisible,
                bias=way.bias,
                but="; ".join(way.but),
            )
            for conv, divisors in self.divisors.items():
                letter = KINDS[conv].letter
                for divisor in divisors:
                    G, P = (divisor if letter == of else None for of in ("G", "P"))
                    yield replace(asked, conv=conv, G=G, P=P), way, conv, divisor


def plan(
    models: Sequence[str],
    kinds: Sequence[str] = tuple(KINDS),
    G: Sequence[int] = DOUBLING,
    P: Sequence[int] = (),
    *,
    sizes: Sequence[str] = (),
    batches: Sequence[int] = (),
    ways: Sequence[Replacing] = (Replacing(),),
    convention: str = "torch",
    otherwise: Mapping[str, tuple[Replacing, ...]] = MappingProxyType({}),
) -> tuple[Study, ...]:
    """The studies of a sweep, in the order in which they run.

    Args:
        models: names as for `networks.load`; none: those of `otherwise`.
        kinds: which kinds replace.
        G: groups of group and dual.
        P: of het; () takes the values of G.
        sizes: inputs, several tensors of one input joined by commas; (): the known one.
        batches: each replaces the first number of the input; (): as it is.
        ways: how sites are replaced.
        convention: what is counted.
        otherwise: models with the ways of each, where none are named.

    Raises:
        UsageError: a word does not fit, or P is given and no kind takes it.
    """
    letters = {kind(name).letter for name in kinds}
    if P and "P" not in letters:
        raise UsageError(
            f"P is given, but none of {', '.join(kinds)} takes it", "add het, or leave P out"
        )
    values = {"G": tuple(G), "P": tuple(P or G), "": (1,)}
    divisors = {name: values[kind(name).letter] for name in dict.fromkeys(kinds)}
    own = {model: tuple(dict.fromkeys(ways)) for model in dict.fromkeys(models)} or otherwise
    for way in {way for all_ways in own.values() for way in all_ways}:
        for name, numbers in divisors.items():
            way.rewrite(name, numbers[0])
    for size in sizes:
        specs(size)
    if any(batch < 1 for batch in batches):
        raise UsageError("a batch is not positive", "give 1 or more")
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    return tuple(
        Study(model, size, batch, convention, of_model, divisors)
        for model, of_model in own.items()
        for size in dict.fromkeys(sizes or ("",))
        for batch in dict.fromkeys(batches or (None,))
    )


def specs(size: str) -> tuple[TensorSpec, ...]:
    """The tensors of one input: "1x3x224x224", or "ids=1x77:int64,mask=1x77".

    Raises:
        UsageError: a shape cannot be read.
    """
    return tuple(TensorSpec.parse(text) for text in size.split(",")) if size else ()


def run(
    studies: Iterable[Study],
    load: Load,
    jobs: int | None = 1,
    done: Collection[Point] = frozenset(),
    calibration: Calibration | None = None,
) -> Iterator[Swept]:
    """The rows of all studies in order, each as soon as it is known.

    Args:
        studies: what `plan` made.
        load: traces a model (`networks.load`).
        jobs: how many processes trace at a time; with 1 all runs in this one, and with None as
            many as `joblib.parallel_config` says, on the backend that it names.
        done: points that are left out.
        calibration: of the machine whose latencies are predicted; None predicts none.
    """
    if jobs == 1:
        for study in studies:
            yield from swept(study, load, done, calibration)
        return
    from joblib import Parallel, delayed

    # a process is told the rows of its own study only
    tasks = (
        delayed(_all)(
            study, load, frozenset(p for p in done if p.model == study.model), calibration
        )
        for study in studies
    )
    for rows in Parallel(n_jobs=jobs, return_as="generator")(tasks):
        yield from rows


def _all(
    study: Study, load: Load, done: Collection[Point], calibration: Calibration | None
) -> list[Swept]:
    return list(swept(study, load, done, calibration))


def swept(
    study: Study,
    load: Load,
    done: Collection[Point] = frozenset(),
    calibration: Calibration | None = None,
) -> Iterator[Swept]:
    """The rows of one study; a model that cannot be traced is one row that says why."""
    if study.own in done and all(point in done for point, *_ in study.points()):
        return
    try:
        network = load(study.model, specs(study.size), study.batch)
    except DualcostError as error:
        yield Swept(study.own, FAILED, " ".join(error.message.split()))
        return
    row = partial(_row, input=",".join(map(_words, network.inputs)))
    convention = CONVENTIONS[study.convention]
    before = as_it_is(network, convention, calibration)
    if study.own not in done:
        yield row(study.own, before, before)
    curves: dict[tuple[Replacing, str], Curve] = {}
    for point, way, conv, divisor in study.points():
        if point in done:
            continue
        if (way, conv) not in curves:
            asked = way.rewrite(conv, divisor)
            curves[way, conv] = Curve(network, asked, convention, calibration)
        yield row(point, curves[way, conv].at(divisor), before)


def _words(spec: TensorSpec) -> str:
    """An input as `specs` reads it."""
    name = f"{spec.name}=" if spec.name else ""
    dtype = f":{spec.dtype}" if spec.dtype != "float32" else ""
    return f"{name}{'x'.join(map(str, spec.shape))}{dtype}"


def _row(point: Point, found: Costing, before: Costing, input: str) -> Swept:
    if found.reason:
        return Swept(point, UNFIT, found.reason, input)
    return Swept(
        point,
        DONE,
        input=input,
        replaced=found.replaced,
        costs=found.costs,
        macs_ratio=ratio(found.macs, before.macs),
        params_ratio=ratio(found.params, before.params),
    )
