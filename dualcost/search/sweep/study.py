"""Many profiles: models × sizes × batches × rules × kinds × G or P, one trace per model and input.

`plan` makes the studies of a sweep and refuses what does not fit before any work begins; `run`
carries them out, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from dualcost.errors import DualcostError, UnknownNameError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.latency.calibration import Calibration
from dualcost.network.cost import CONVENTIONS, ratio
from dualcost.network.network import Network, TensorSpec
from dualcost.rewrite.request import LETTERS, USUAL, Request
from dualcost.rewrite.subject import Subject
from dualcost.search.sweep.curve import Costing, Curve, as_it_is
from dualcost.search.sweep.rows import DONE, DOUBLING, FAILED, UNFIT, Point, Replacing, Swept

Load = Callable[..., Network]
IMGSZ = "imgsz="


@dataclass(frozen=True)
class Series:
    """A request whose G or P is left open, and its numbers; (1,) of a kind that has neither."""

    request: Request
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is not positive.
        """
        self.request.at(min(self.numbers, default=1))

    @classmethod
    def of(cls, request: Request, numbers: Mapping[str, tuple[int, ...]]) -> Series:
        """The request's own number, else those of its letter."""
        return cls(request, numbers[request.kind.letter] if request.open else (request.divisor,))


@dataclass(frozen=True)
class Study:
    """All points of one model at one input, for which it is traced once."""

    model: str
    size: str
    batch: int | None
    convention: str
    series: tuple[Series, ...]

    def __len__(self) -> int:
        return 1 + sum(len(one.numbers) for one in self.series)

    @property
    def own(self) -> Point:
        """The network as it is."""
        return Point(self.model, self.size, self.batch, convention=self.convention)

    def points(self) -> Iterator[tuple[Point, Request, int]]:
        """Every point besides the network as it is, with its request, and its G or P."""
        for series in self.series:
            words = USUAL | series.request.words()
            asked = replace(
                self.own,
                conv=words["conv"],
                where=words["where"],
                indivisible=words["indivisible"],
                bias=words["bias"],
                but="; ".join(words.get("but", ())),
            )
            letter = series.request.kind.letter
            for number in series.numbers:
                G, P = (number if letter == of else None for of in LETTERS)
                yield replace(asked, G=G, P=P), series.request, number


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
        models: subjects; one with a request of its own is swept as that says, others as `kinds`
            and `ways` say; none: those of `otherwise`.
        kinds: which kinds replace, or texts of requests.
        G: groups of group and dual.
        P: of het; () takes the values of G.
        sizes: inputs, several tensors of one input joined by commas; or "imgsz=320x256" for the
            known one with other images; (): the known one.
        batches: each replaces the first number of the input; (): as it is.
        ways: how sites are replaced.
        convention: what is counted.
        otherwise: models with the ways of each, where none are named.

    Raises:
        UsageError: a word does not fit, or P is given and no kind takes it.
    """
    kinds = tuple(dict.fromkeys(kinds))
    requests = [way.request(kind) for way in dict.fromkeys(ways) for kind in kinds]
    numbers = {"G": tuple(G), "P": tuple(P or G), "": (1,)}
    if P and all(request.kind.letter != "P" for request in requests):
        raise UsageError(
            f"P is given, but none of {', '.join(kinds)} takes it", "add het, or leave P out"
        )
    series = tuple(dict.fromkeys(Series.of(request, numbers) for request in requests))
    own = {
        model: tuple(Series.of(way.request(kind), numbers) for way in of_model for kind in kinds)
        for model, of_model in otherwise.items()
    }
    if models:
        own = {}
        for model in dict.fromkeys(models):
            subject = Subject.parse(model, open=True)
            mine = (Series.of(subject.request, numbers),) if subject.request else series
            known = own.get(subject.model, ())
            own[subject.model] = tuple(dict.fromkeys((*known, *mine)))
    for size in sizes:
        specs(size)
    if any(batch < 1 for batch in batches):
        raise UsageError("a batch is not positive", "give 1 or more")
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    return tuple(
        Study(model, size, batch, convention, of_model)
        for model, of_model in own.items()
        for size in dict.fromkeys(sizes or ("",))
        for batch in dict.fromkeys(batches or (None,))
    )


def specs(size: str) -> tuple[TensorSpec, ...]:
    """The tensors of one input: "1x3x224x224", "1,3,224,224", or "ids=1x77:int64,mask=1x77".

    Raises:
        UsageError: a shape cannot be read.
    """
    if not size or _imgsz(size):
        return ()
    # without an x between numbers, commas join the numbers of one shape
    texts = size.split(",") if re.search(r"\d\s*[x×*]\s*\d", size) else [size]
    return tuple(TensorSpec.parse(text) for text in texts)


def _imgsz(size: str) -> dict[str, str]:
    """What `load` is told of an input that only says the size of images."""
    return {"imgsz": size.removeprefix(IMGSZ)} if size.startswith(IMGSZ) else {}


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
        network = load(study.model, specs(study.size), study.batch, **_imgsz(study.size))
    except DualcostError as error:
        yield Swept(study.own, FAILED, " ".join(error.message.split()))
        return
    row = partial(_row, input=",".join(map(_words, network.inputs)))
    convention = CONVENTIONS[study.convention]
    before = as_it_is(network, convention, calibration)
    if study.own not in done:
        yield row(study.own, before, before)
    curves: dict[Request, Curve] = {}
    for point, request, number in study.points():
        if point in done:
            continue
        if request not in curves:
            curves[request] = Curve(network, request, convention, calibration)
        yield row(point, curves[request].at(number), before)


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
        latency_lower_s=found.latency_lower_s,
        latency_upper_s=found.latency_upper_s,
    )
