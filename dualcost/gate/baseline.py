"""What models are compared with: a lock file, a report of an earlier check, a revision of git."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dualcost.errors import DualcostError, UnmeasuredError, UsageError
from dualcost.gate import config
from dualcost.gate import lockfile as lock
from dualcost.gate.appraisal import Appraisal
from dualcost.gate.config import Config
from dualcost.gate.snapshot import Snapshot
from dualcost.gate.survey import survey
from dualcost.library.networks import Announce

GIT = "git:"
REPORT_SCHEMA = 1
# Set by git for its hooks, and about the tree that they run in (git rev-parse --local-env-vars).
LOCAL_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
)


@dataclass(frozen=True)
class Baseline:
    """What the models cost before, and where that is known from."""

    name: str
    snapshots: Mapping[str, Snapshot]

    def of(self, now: Snapshot, *, by_name: bool = True) -> Snapshot | None:
        """What a model cost before; None, if that is not known.

        Args:
            now: what it costs now.
            by_name: a configuration gives names that stay; else the same target with the same
                rewrite is the same model, whatever it was called.
        """
        same = self.snapshots.get(now.model)
        if same is not None or by_name:
            return same
        what = (now.target, now.rewrite)
        fits = (one for one in self.snapshots.values() if (one.target, one.rewrite) == what)
        return next(fits, None)


def read(
    asked: Config, text: str = "", announce: Announce = lambda message: None, jobs: int = 0
) -> Baseline | None:
    """The baseline of a configuration; None: there is no lock file yet.

    Args:
        asked: the configuration.
        text: "git:REF", the JSON report of a check, or another lock file; "": the configured one.
        announce: told what is about to take a while.
        jobs: how many models are traced at once.

    Raises:
        UsageError: it cannot be read, or git knows no such revision.
        UnmeasuredError: a revision has no configuration, or a model of it does not run.
    """
    if text.startswith(GIT):
        return _of_revision(asked, text.removeprefix(GIT), announce, jobs)
    if not text and asked.path is None:
        return None
    path = Path(text) if text else asked.baseline
    if path.suffix == ".json":
        return Baseline(text, _of_report(path))
    if not text and not path.exists():
        return None
    return Baseline(path.name, lock.read(path).snapshots)


def _of_report(path: Path) -> dict[str, Snapshot]:
    hint = "`dualcost check -o FILE.json` writes one"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", hint) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", hint) from error
    try:
        if document["schema"] != REPORT_SCHEMA:
            raise UsageError(
                f"{path} has schema {document['schema']}; this dualcost reads {REPORT_SCHEMA}",
                "use the dualcost that wrote it",
            )
        return {
            one["name"]: Snapshot.from_json(one["snapshot"])
            for one in document["models"]
            if one["snapshot"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is not the report of a check ({error!r})", hint) from error


def _of_revision(asked: Config, revision: str, announce: Announce, jobs: int) -> Baseline:
    """Appraise the models of a revision by its own configuration and code, in a worktree."""
    folder = asked.root.resolve()
    top = Path(_git(folder, "rev-parse", "--show-toplevel"))
    try:
        commit = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except UsageError as error:
        raise UsageError(
            f"git knows no revision {revision!r}",
            "a shallow clone has no history: fetch it first (on GitHub: fetch-depth: 0)",
        ) from error
    announce(f"measuring the models of {revision} ({commit[:10]})")
    name = f"{GIT}{revision}"
    with _worktree(folder, commit) as tree:
        before = _as_it_was(asked, top, tree, name)
        known = {model.name for model in before.models}
        wanted = tuple(model.name for model in asked.models if model.name in known)
        found = survey(before.only(wanted), announce, jobs, latency=False) if wanted else {}
        return Baseline(name, dict(_snapshots(found, tree, name)))


def _as_it_was(asked: Config, top: Path, tree: Path, name: str) -> Config:
    """The configuration of a revision in its worktree; of a command, the same words there."""
    place = (asked.path or asked.root).resolve().relative_to(top)
    if asked.path is None:
        if not (tree / place).is_dir():
            raise UnmeasuredError(f"{name} has no folder {place}", "compare with a later revision")
        return replace(asked, folder=tree / place)
    if not (tree / place).is_file():
        raise UnmeasuredError(f"{name} has no {place}", "compare with a later revision")
    try:
        return config.read(tree / place)
    except UsageError as error:
        message = error.message.replace(f"{tree}/", f"{name}:")
        raise UnmeasuredError(message, "compare with a later revision") from error


def _snapshots(
    found: Mapping[str, Appraisal | DualcostError], tree: Path, name: str
) -> Iterator[tuple[str, Snapshot]]:
    for model, one in found.items():
        if isinstance(one, DualcostError):
            raise UnmeasuredError(one.message.replace(f"{tree}/", f"{name}:"), one.hint)
        yield model, one.snapshot


@contextmanager
def _worktree(folder: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder that is gone afterwards; the user's tree stays as it is."""
    with tempfile.TemporaryDirectory(prefix="dualcost-") as made:
        tree = Path(made).resolve() / "tree"
        _git(folder, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield tree
        finally:
            _git(folder, "worktree", "remove", "--force", str(tree))


def _git(folder: Path, *words: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in LOCAL_VARIABLES}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed", "compare with a lock file instead") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"git {words[0]} failed"]
        raise UsageError(lines[-1], f"git was run in {folder}")
    return done.stdout.strip()
