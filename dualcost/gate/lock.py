"""A configuration → its lock file written anew: what changes, and what the ratchet refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dualcost.costs.metrics import KEPT
from dualcost.errors import UsageError
from dualcost.gate import budget
from dualcost.gate import lockfile as lock
from dualcost.gate.appraisal import Appraisal
from dualcost.gate.budget import FAIL, Verdict
from dualcost.gate.config import Config
from dualcost.gate.lockfile import Lock
from dualcost.gate.metrics import check
from dualcost.gate.snapshot import Snapshot
from dualcost.gate.survey import survey
from dualcost.library.networks import Announce


@dataclass(frozen=True)
class Change:
    """A metric of a model in the lock file; None where the file does not know the model."""

    model: str
    metric: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Update:
    """A lock file as it is, and as it would be.

    Attributes:
        config: whose lock file it is.
        before: what stands in it.
        after: what would.
        exists: there is a file.
        refused: growth that the ratchet does not allow and nobody accepted: then nothing is
            written.
    """

    config: Config
    before: Lock
    after: Lock
    exists: bool
    refused: tuple[Verdict, ...]

    @property
    def needed(self) -> bool:
        """The file would change."""
        return not self.exists or lock.text(self.before) != lock.text(self.after)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every metric that changes, by model."""
        found = []
        for name in sorted({*self.before.snapshots, *self.after.snapshots}):
            old, new = (
                one.snapshots[name].metrics if name in one.snapshots else {}
                for one in (self.before, self.after)
            )
            found += [
                Change(name, metric, old.get(metric), new.get(metric))
                for metric in KEPT
                if old.get(metric) != new.get(metric)
            ]
        return tuple(found)


def update(
    asked: Config,
    *,
    tighten: bool = False,
    accept: Sequence[str] = (),
    reason: str = "",
    jobs: int = 0,
    announce: Announce = lambda message: None,
) -> Update:
    """Measure every model, and say what becomes of the lock file; nothing is written.

    Args:
        asked: the configuration.
        tighten: metrics that fell are lowered, and nothing else changes.
        accept: metrics that may rise by more than the ratchet allows.
        reason: why; it is kept in the file.
        jobs: how many models are traced at once.
        announce: told what is about to take a while.

    Raises:
        UsageError: the words exclude each other, a metric to accept did not rise, or the file
            cannot be read.
        UnmeasuredError: a model does not run.
    """
    if bool(accept) != bool(reason.strip()):
        raise UsageError(
            "--accept and --reason belong together", '--accept params --reason "a wider head"'
        )
    if accept and tighten:
        raise UsageError("--tighten only lowers: there is nothing to accept", "leave one out")
    accept = [check(name, tuple(KEPT)) for name in accept]
    exists = asked.baseline.exists()
    if tighten and not exists:
        raise UsageError(f"there is no {asked.baseline.name} to tighten", "run `dualcost lock`")
    before = lock.read(asked.baseline) if exists else Lock({})
    now = _snapshots(asked, announce, jobs)
    if tighten:
        return Update(asked, before, lock.tightened(before, now), exists, ())
    after = Lock(now, before.accepted)
    after = Lock(now, (*before.accepted, *lock.accepting(after, before, accept, reason)))
    return Update(asked, before, after, exists, _refused(asked, before, after, accept))


def _snapshots(asked: Config, announce: Announce, jobs: int) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    for name, one in survey(asked, announce, jobs, latency=False).items():
        if not isinstance(one, Appraisal):
            raise one
        found[name] = one.snapshot
    return found


def _refused(
    asked: Config, before: Lock, after: Lock, accept: Sequence[str]
) -> tuple[Verdict, ...]:
    """Growth beyond the ratchet; what is measured on another input cannot be compared."""
    guarded = [one for one in asked.ratchet if one.metric not in accept]
    return tuple(
        verdict
        for name, now in after.snapshots.items()
        if (base := before.snapshots.get(name)) is not None and not lock.fits(base, now)
        for verdict in budget.grown(name, guarded, now, base)
        if verdict.status == FAIL and verdict.headroom < 0
    )
