"""The verbs of dualcost: what `import dualcost` offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dualcost.costs.closedform import ClosedForm
    from dualcost.gate.check import Report
    from dualcost.kinds.recipe import ConvKind
    from dualcost.lab.measurement import Comparison
    from dualcost.nn import Module
    from dualcost.render.profile.notebook import NotebookProfile
    from dualcost.rewrite.request import Request
    from dualcost.search.fit.fitted import Fitted
    from dualcost.search.fit.timetable import Predictor
    from dualcost.search.solve import Solution
    from dualcost.search.sweep.arrays import Sweep


def bench(
    models: str | Sequence[str],
    input: Any = None,
    *,
    conv: Sequence[str] = (),
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    het: Sequence[str] = (),
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    device: str = "cpu",
    threads: int = 1,
    dtype: str = "float32",
    channels_last: bool = False,
    compile: bool = False,
    target: float = 0.02,
    budget_s: float = 60.0,
    by_layer: bool = False,
) -> Comparison:
    """Run models against each other in a fresh process: how fast they are, and how much faster.

    Args:
        models: one or more names as for `profile`; the first is what others are compared to.
        input: as for `profile`.
        conv: the variants of each model, such as "dual:4", "het:8" or "dsc".
        where: the rule that says which sites are replaced, in all variants.
        but: exceptions, such as "M<=32: G=8" or "path=head.*: keep".
        indivisible: "refuse", "keep", "gcd" or "fallback:N", where G or P does not divide.
        bias: "keep" or "drop" the biases of what is replaced.
        het: how het runs, one variant for each: "grouped", "branches".
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        device: "cpu" or "cuda".
        threads: how many torch computes with.
        dtype: "float32", "float16" or "bfloat16".
        channels_last: the memory format of weights and images.
        compile: run with `torch.compile`.
        target: end when the ratios of halves of the rounds differ by less than this share.
        budget_s: end after so many seconds of measuring anyway.
        by_layer: time every layer (`layers` of the result).

    Returns:
        A `Comparison`: its `standings` hold times in seconds and ratios with their intervals.
        After Ctrl-C it holds what was measured until then, and `ended` is "interrupted".

    Raises:
        dualcost.errors.UnmeasuredError: it could not be measured here.
        dualcost.errors.DualcostError: something does not fit.
    """
    from dualcost.lab import bench as contest
    from dualcost.lab.race import Conditions, variants
    from dualcost.library import networks as library
    from dualcost.network.resize import sides
    from dualcost.rewrite.request import Request
    from dualcost.rewrite.subject import Subject

    words: dict[str, Any] = {
        "where": where, "indivisible": indivisible, "bias": bias, "but": tuple(but)
    }  # fmt: skip
    requests = [Request.parse(text, **words, own_first=True) for text in conv]
    subjects = [
        Subject.parse(text, **words, several=True)
        for text in ([models] if isinstance(models, str) else models)
    ]
    race = contest.race(
        subjects,
        [*variants(requests, het)],
        Conditions(device, threads, dtype, channels_last, compile),
        inputs=library.specs(input),
        batch=batch,
        imgsz=sides(imgsz) if imgsz is not None else None,
        target=target,
        budget_s=budget_s,
        by_layer=by_layer,
    )
    return contest.run(race)


def check(
    config: str | Path | None = None,
    *,
    baseline: str = "",
    frozen: bool = False,
    latency: bool = True,
    why: bool = False,
    jobs: int = 0,
) -> Report:
    """Check models against the budgets that a repository keeps.

    Args:
        config: a dualcost.toml, or a pyproject.toml with [tool.dualcost]; None: the nearest one.
        baseline: "git:REF", the JSON report of a check, or a lock file; "": as configured.
        frozen: the lock file must be up to date.
        latency: measure latencies that have a limit.
        why: look for what would make a model fit that does not.
        jobs: how many models are traced at once; 0: as many as there are processors.

    Returns:
        A `Report`: its `verdicts`, those that `failed`, and the `exit_code` of the command.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from pathlib import Path

    from dualcost.gate import baseline as before
    from dualcost.gate import check as inspection
    from dualcost.gate import config as configuration

    asked = configuration.read(Path(config) if config else configuration.find())
    known = before.read(asked, baseline, jobs=jobs)
    return inspection.check(asked, known, frozen=frozen, latency=latency, why=why, jobs=jobs)


def convert(
    model: Any,
    input: Any = None,
    *,
    conv: str | ConvKind | Request | None = None,
    G: int | None = None,
    P: int | None = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    init: str = "fresh",
    listed: bool = False,
) -> Module:
    """Build the real model that `profile` with the same words counts.

    A `torch.nn.Module` is copied and left as it was; layers that stay keep their weights. The
    result is traced, and has the MACs and parameters of the profile.

    Args:
        model: a module; or a name as for `profile`, whose weights are then new.
        input: as for `profile`.
        conv: what replaces, as for `profile`.
        G: groups of group and dual.
        P: 1/P of het's kernels are K×K.
        where: the rule that says which sites are replaced.
        but: exceptions, such as "M<=32: G=8" or "path=head.*: keep".
        indivisible: "refuse", "keep", "gcd" or "fallback:N", where G or P does not divide.
        bias: "keep" or "drop" the biases of what is replaced.
        init: new kernels are drawn as new layers' are ("fresh"), or are the nearest to the old
            ones by least squares ("copy").
        listed: the module takes a list of unbatched images (detectors do).

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost.errors import UsageError
    from dualcost.library import networks as library
    from dualcost.nn.convert.conversion import convert_model
    from dualcost.rewrite.subject import Subject

    subject = Subject.parse(model, conv, G, P, where, indivisible, bias, but)
    if subject.request is None:
        raise UsageError("nothing says what to convert to", 'add conv="dual:4"')
    specs, model = library.specs(input), subject.model
    if isinstance(model, str):
        model = library.with_origin(model)
    elif not specs:
        raise library.without_input(model)
    return convert_model(model, subject.request, specs, init=init, listed=listed)


def profile(
    model: Any,
    input: Any = None,
    *,
    conv: str | ConvKind | Request | None = None,
    G: int | None = None,
    P: int | None = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    convention: str = "torch",
    device: str = "",
) -> NotebookProfile:
    """Count what a network costs, and what it would cost with another kind of convolution.

    Args:
        model: a `torch.nn.Module` (left exactly as it was), or a name as on the command line:
            "resnet50", "zoo:NAME", "torchvision:NAME", "path/to/file.py:factory"; and what is
            replaced in it, if you like: "resnet50+dual:G=4@stride-1", "resnet50+plan.toml".
        input: its shape with the batch, as "1x3x224x224" or (1, 3, 224, 224); a tensor or anything
            else with a shape and a dtype; or a list of these. Optional for named networks.
        conv: the kind that replaces: "standard", "dsc", "group", "het" or "dual", or one of your
            own; its number and more may stand with it, "dual:4", "dual:G=4,bias=drop@stride-1"; a
            whole request, of `fit` or of a plan, and then none of what follows; None: no change.
        G: groups of group and dual.
        P: 1/P of het's kernels are K×K.
        where: the rule that says which sites are replaced.
        but: exceptions, such as "M<=32: G=8" or "path=head.*: keep".
        indivisible: "refuse", "keep", "gcd" or "fallback:N", where G or P does not divide.
        bias: "keep" or "drop" the biases of what is replaced.
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        convention: "paper" (convolutions and linear layers) or "torch" (all matrix products too).
        device: "cpu" or "cuda": run on real tensors there; "": on tensors without values.

    Returns:
        A `Profile`: `before` and `after` are its `Cost`s (macs, flops, params, traffic), `rows`
        its layers, `totals` the sums by group of layers. A notebook shows it as a table.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.render.profile.notebook import NotebookProfile
    from dualcost.rewrite.subject import Subject

    subject = Subject.parse(model, conv, G, P, where, indivisible, bias, but)
    counted = named_convention(convention)
    network = library.load(subject.model, library.specs(input), batch, device=device, imgsz=imgsz)
    return NotebookProfile.of(cost(network, subject.request, counted))


def sweep(
    model: Any,
    input: Any = None,
    *,
    conv: str | Sequence[str] = "dual",
    G: Any = None,
    P: Any = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    convention: str = "torch",
) -> Sweep:
    """Cost one network at many G or P at once; a million points take less than two seconds.

        >>> import numpy
        >>> found = dualcost.sweep("resnet50", conv="dual", G=numpy.array([2, 3, 4]))
        >>> found.macs.tolist()
        [3369861120, None, 2907439104]
        >>> found.reason(1)
        'layer1.0.conv2: M=64 is not divisible by G=3 (so at 15 more sites)'

    Args:
        model: as for `profile`, and so are all arguments that are not named here.
        input: as for `profile`.
        conv: a kind, or several, which follow each other in the result.
        G: an array of integers; None: 1, 2, 4, …, 32.
        P: the same for het; None: the values of G.
        where: the rule that says which sites are replaced.
        but: exceptions to it.
        indivisible: "refuse" masks the points at which G or P does not divide.
        bias: "keep" or "drop".
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        convention: what is counted.

    Returns:
        A `Sweep`: masked numpy arrays `macs`, `params`, `traffic`, `weight_bytes`, `peak_bytes` and
        `replaced`, and beside them `kind` and `divisor`.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.search.sweep.arrays import sweep as at_arrays
    from dualcost.search.sweep.rows import DOUBLING, Replacing

    kinds = (conv,) if isinstance(conv, str) else tuple(conv)
    way = Replacing(where, indivisible, bias, tuple(but))
    counted = named_convention(convention)
    network = library.load(model, library.specs(input), batch, imgsz=imgsz)
    return at_arrays(network, kinds, DOUBLING if G is None else G, P, way, counted)


def fit(
    model: Any,
    budgets: Mapping[str, object] | Sequence[str],
    input: Any = None,
    *,
    kinds: Sequence[str] = ("dual",),
    G: Sequence[int] | None = None,
    P: Sequence[int] | None = None,
    where: str = "default",
    bias: str = "keep",
    objective: str = "params",
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    convention: str = "torch",
    predictor: Predictor | None = None,
    announce: Callable[[str], None] = lambda message: None,
) -> Fitted:
    """Find the smallest change that meets budgets: a kind and its G or P for each layer.

        >>> found = dualcost.fit("resnet50", {"params": "20M", "macs": "3G"})
        >>> found.fits, found.profile.after.params
        (True, 19999976)
        >>> dualcost.profile("resnet50", conv=found.rewrite).after == found.profile.after
        True

    Accuracy is not modelled: train and test the result.

    Args:
        model: a module, or a name, as for `profile`.
        budgets: a maximum for each of some metrics that layers add up to, such as "params", and
            for "latency"; or texts such as "params <= 20M" and "macs >= 1G".
        input: as for `profile`.
        kinds: the kinds that a layer may become.
        G: of group and dual; None: the powers of two from 2 on.
        P: of het; None: likewise.
        where: the rule that says which layers may change.
        bias: "keep" or "drop" the biases of what is replaced.
        objective: what is least: "params" (removed), "layers" (touched), or "latency".
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        convention: what is counted.
        predictor: for a latency, as a budget or as the objective.
        announce: told what is about to take a while.

    Returns:
        A `Fitted`: its `rewrite` is the plan (None: nothing has to change), `profile` what the
        network costs then, `gap` is 0.0 if nothing is better. If no plan meets the budgets
        (`fits`), it is the nearest one.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dataclasses import replace

    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.render.profile.notebook import NotebookProfile
    from dualcost.rewrite.rule import Rule
    from dualcost.search.fit.budget import budgets as read
    from dualcost.search.fit.fit import fit as find
    from dualcost.search.fit.fitted import Wish

    wish = Wish(read(budgets), objective, predictor)
    counted, rule = named_convention(convention), Rule.replacing(where)
    network = library.load(model, library.specs(input), batch, announce, imgsz=imgsz)
    fitted = find(network, wish, kinds, G, P, rule, bias, counted)
    return replace(fitted, profile=NotebookProfile.of(fitted.profile))


def formula(
    model: Any,
    input: Any = None,
    *,
    conv: str | ConvKind | None = None,
    G: int | None = None,
    P: int | None = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    symbols: str = "",
    convention: str = "torch",
    announce: Callable[[str], None] = lambda message: None,
) -> ClosedForm:
    """Give the MACs and parameters of a network in closed form.

    Args:
        model: a module, or a name, as for `profile`.
        input: as for `profile`.
        conv: the kind that replaces; its G or P is a symbol unless it is given.
        G: a number for G.
        P: a number for P.
        where: as for `profile`, and so are `but`, `bias` and `convention`.
        but: exceptions.
        indivisible: as for `profile`; where G or P is a symbol, the form holds if it divides.
        bias: "keep" or "drop".
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        symbols: the sizes that are symbols too: "B,H,W"; "" makes none of them one.
        convention: whose MACs count.
        announce: told what is about to take a while.

    Returns:
        A `ClosedForm`: `macs` and `params` have a sympy `expression`, `at(G=4)` is the cost at a
        point, to the integer, `guards` say for which sizes it holds.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost.costs.closedform import closed_form, split_symbols
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.rewrite.subject import Subject

    subject = Subject.parse(model, conv, G, P, where, indivisible, bias, but, open=True)
    names = split_symbols(symbols, subject.request)
    counted, specs = named_convention(convention), library.specs(input)
    if names:
        symbolic = library.load_symbolic(subject.model, specs, batch, names, announce, imgsz=imgsz)
        return closed_form(symbolic, subject.request, counted)
    network = library.load(subject.model, specs, batch, announce, imgsz=imgsz)
    return closed_form(network, subject.request, counted)


def solve(
    model: Any,
    *constraints: str,
    input: Any = None,
    conv: str | ConvKind | None = None,
    variable: str = "",
    G: int | None = None,
    P: int | None = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    batch: int | None = None,
    imgsz: int | str | tuple[int, int] | None = None,
    convention: str = "torch",
    announce: Callable[[str], None] = lambda message: None,
) -> Solution:
    """Find the smallest G (or P), or the largest resolution or batch, that satisfies constraints.

    Args:
        model: a module, or a name, as for `profile`.
        constraints: such as "params <= 20M", "macs <= 2.7G", "peak-activations < 48MiB".
        input: as for `profile`.
        conv: the kind that replaces.
        variable: "G", "P", "resolution" (height = width), "batch", "height", "width", "depth" or
            "length"; by default the kind's letter.
        G: a number for G, if something else is searched.
        P: a number for P, likewise.
        where: as for `profile`, and so are `but`, `indivisible`, `bias` and `convention`.
        but: exceptions.
        indivisible: with "refuse", G divides the channels of all replaced sites; with another
            policy those of one at least.
        bias: "keep" or "drop".
        batch: replaces the first number of every input's shape.
        imgsz: replaces height and width of every image: 320, (320, 256) or "320x256".
        convention: what is counted.
        announce: told what is about to take a while.

    Returns:
        A `Solution`: its `value` (None if there is none), and what binds.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.rewrite.subject import Subject
    from dualcost.search.constraint import parsed
    from dualcost.search.solve import solve as find

    limits, counted = parsed(constraints), named_convention(convention)
    subject = Subject.parse(model, conv, G, P, where, indivisible, bias, but, open=True)
    name, specs = subject.model, library.specs(input)
    return find(
        lambda: library.load(name, specs, batch, announce, imgsz=imgsz),
        lambda symbols: library.load_symbolic(name, specs, batch, symbols, announce, imgsz=imgsz),
        limits,
        subject.request,
        variable,
        counted,
    )
