"""A configuration and a baseline → what every model costs, and whether that is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dualcost.errors import DualcostError, ExitCode, UnmeasuredError, UsageError
from dualcost.gate import budget, metrics
from dualcost.gate import lockfile as lock
from dualcost.gate.advice import wanted
from dualcost.gate.appraisal import Appraisal, time_key, timed
from dualcost.gate.baseline import Baseline
from dualcost.gate.budget import FAIL, RATCHET, UnmatchedError, Verdict
from dualcost.gate.config import Config, Model
from dualcost.gate.limit import ERROR, WARN
from dualcost.gate.snapshot import Snapshot
from dualcost.gate.survey import advise, survey
from dualcost.library.networks import Announce


@dataclass(frozen=True)
class Checked:
    """One model, and what came of it.

    Attributes:
        model: as configured.
        found: what it costs; None, if it could not be measured.
        base: what it cost in the baseline; None, if that does not know it.
        verdicts: in the order of the configuration.
        error: why it could not be measured.
        notes: what else is to be said.
        advice: what would make it fit, where somebody asked.
    """

    model: Model
    found: Appraisal | None
    base: Snapshot | None = None
    verdicts: tuple[Verdict, ...] = ()
    error: DualcostError | None = None
    notes: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """What came of a check.

    Attributes:
        config: what was checked.
        baseline: what it was compared with; "" for nothing.
        models: in the order of the configuration.
        stale: what is out of date in the lock file, where that matters (`--frozen`).
    """

    config: Config
    baseline: str
    models: tuple[Checked, ...]
    stale: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those of all models."""
        return tuple(verdict for one in self.models for verdict in one.verdicts)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """Those that make the check fail."""
        return tuple(verdict for verdict in self.verdicts if verdict.status == FAIL)

    @property
    def warned(self) -> tuple[Verdict, ...]:
        """Those that do not, and are not fine either."""
        return tuple(verdict for verdict in self.verdicts if verdict.status == WARN)

    @property
    def unmeasured(self) -> tuple[Checked, ...]:
        """The models that could not be measured."""
        return tuple(one for one in self.models if one.error is not None)

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends in: that a model could not be measured comes first."""
        if self.unmeasured:
            return ExitCode.UNMEASURED
        return ExitCode.FAILED if self.failed or self.stale else ExitCode.OK


def check(
    asked: Config,
    baseline: Baseline | None,
    *,
    frozen: bool = False,
    latency: bool = True,
    why: bool = False,
    jobs: int = 0,
    announce: Announce = lambda message: None,
) -> Report:
    """Measure every model, and hold it against its limits and the baseline.

    Args:
        asked: the configuration.
        baseline: what growth is measured against; None: nothing is known.
        frozen: the lock file must be what `dualcost lock` would write.
        latency: measure latencies, too.
        why: find out what would make a model fit that does not.
        jobs: how many models are traced at once; 0: as many as there are processors.
        announce: told what is about to take a while.

    Raises:
        UsageError: the configuration does not fit a model, or has no lock file to be frozen.
        UnmeasuredError: there is a ratchet, and no baseline.
    """
    if frozen and asked.path is None:
        raise UsageError(
            "--frozen is about the lock file of a configuration, and there is none",
            "`dualcost init MODEL` writes one",
        )
    if asked.ratchet and baseline is None:
        raise UnmeasuredError(
            f"{asked.at(asked.ratchet[0].line)}there is a ratchet, and no {asked.baseline.name}",
            "`dualcost lock` writes it; commit it",
        )
    found = survey(asked, announce, jobs, latency)
    checked = tuple(_checked(asked, model, found[model.name], baseline) for model in asked.models)
    if why:
        checked = tuple(_advised(asked, one, announce) for one in checked)
    return Report(
        config=asked,
        baseline=baseline.name if baseline else "",
        models=checked,
        stale=tuple(_stale(asked, found)) if frozen else (),
    )


def _checked(
    asked: Config, model: Model, found: Appraisal | DualcostError, baseline: Baseline | None
) -> Checked:
    if isinstance(found, DualcostError):
        return Checked(model, None, error=found)
    now = found.snapshot
    base = baseline.of(now, by_name=asked.path is not None) if baseline else None
    notes = []
    if baseline and base is None and asked.ratchet and asked.path is None:
        known = ", ".join(baseline.snapshots) or "no model"
        message = f"{baseline.name} does not know {model.name}, and its growth is limited"
        return Checked(model, found, error=UnmeasuredError(message, f"it knows {known}"))
    if baseline and base is None:
        notes.append(f"{baseline.name} does not know it: it is new")
    if baseline and base and (why := lock.fits(base, now)):
        message = f"{model.name} does not fit {baseline.name}: {why}"
        if asked.ratchet:
            anew = "write the baseline anew: `dualcost lock`"
            hint = anew if asked.path else "compare it on the input of the baseline"
            error = UnmeasuredError(asked.at(model.line) + message, hint)
            return Checked(model, found, error=error)
        notes.append(message)
        base = None
    try:
        verdicts = budget.judge(model, found, base, asked.ratchet)
    except UnmatchedError as unmatched:
        message = f"{asked.at(unmatched.line)}{unmatched.message}"
        raise UsageError(message, unmatched.hint) from unmatched
    untimed = _untimed(asked, model, found, ERROR)
    if warning := _untimed(asked, model, found, WARN):
        notes.append(warning.message)
    return Checked(model, found, base, verdicts, untimed, (*notes, *_fallen(asked, verdicts)))


def _untimed(asked: Config, model: Model, found: Appraisal, level: str) -> UnmeasuredError | None:
    """The first latency of a level that could not be measured."""
    for limit in timed(model):
        if limit.level == level and (why := found.untimed.get(time_key(limit))):
            where = f"{asked.at(limit.line)}{model.name}: {limit.metric}"
            hint = "`dualcost check --no-latency` leaves latencies out"
            if limit.metric == metrics.ESTIMATE:
                hint = f"{why[1]}; {hint}"
            return UnmeasuredError(f"{where} was not measured: {why[0]}", hint)
    return None


def _advised(asked: Config, checked: Checked, announce: Announce) -> Checked:
    limits = wanted(checked.verdicts)
    return replace(checked, advice=advise(asked, checked.model, limits, announce) if limits else "")


def _fallen(asked: Config, verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    """Guarded metrics that fell, and may be kept from rising again."""
    fallen = [
        f"{verdict.metric} by {metrics.said(verdict.metric, -verdict.difference)}"
        for verdict in verdicts
        if verdict.kind == RATCHET and verdict.difference is not None and verdict.difference < 0
    ]
    if fallen:
        kept = "; `dualcost lock --tighten` keeps it so" if asked.path else ""
        yield f"fell: {', '.join(fallen)}{kept}"


def _stale(asked: Config, found: Mapping[str, Appraisal | DualcostError]) -> Iterator[str]:
    """What is out of date in the lock file; models that do not run are reported elsewhere."""
    if not asked.baseline.exists():
        yield f"there is no {asked.baseline.name}"
        return
    now = {name: one.snapshot for name, one in found.items() if isinstance(one, Appraisal)}
    known = lock.read(asked.baseline)
    failed = found.keys() - now.keys()
    rest = {
        name: one
        for name, one in known.snapshots.items()
        if name not in failed and (asked.whole or name in found)
    }
    yield from lock.stale(lock.Lock(rest), now)
