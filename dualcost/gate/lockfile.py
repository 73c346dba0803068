"""The lock file: what every model cost when it was last agreed on. It is meant for a diff.

TOML, sorted, one layer a line, exact integers, and nothing that changes without a change of a
model: no time, no version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dualcost import toml as tomlfile
from dualcost.errors import UsageError
from dualcost.files import write_atomically
from dualcost.gate.snapshot import LayerCost, Snapshot
from dualcost.network.cost import Cost
from dualcost.toml import Section, quoted, word

SCHEMA = 1
HEAD = "# What the models of this repository cost. `dualcost lock` writes this file; commit it.\n"
MODEL_KEYS = (
    *("target", "rewrite", "input", "convention", "structure", "peak-at"),
    *("metrics", "unknown", "layers"),
)


@dataclass(frozen=True)
class Acceptance:
    """Why a metric of a model got worse, in a user's words."""

    model: str
    metric: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True)
class Lock:
    """The snapshots of a lock file by model, and why some of their metrics got worse."""

    snapshots: Mapping[str, Snapshot]
    accepted: tuple[Acceptance, ...] = ()

    @property
    def standing(self) -> tuple[Acceptance, ...]:
        """The last acceptance of each metric, as long as the metric is what was accepted."""
        last = {(one.model, one.metric): one for one in self.accepted}
        return tuple(
            one
            for _, one in sorted(last.items())
            if one.model in self.snapshots
            and self.snapshots[one.model].metrics.get(one.metric) == one.after
        )


def write(lock: Lock, path: Path) -> None:
    """Write a lock file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, text(lock).encode())


def text(lock: Lock) -> str:
    """The text of a lock file."""
    return "\n".join(_lines(lock)) + "\n"


def _lines(lock: Lock) -> Iterator[str]:
    yield f"{HEAD}schema = {SCHEMA}"
    for name in sorted(lock.snapshots):
        yield from _model(lock.snapshots[name], f"models.{word(name)}")
    for one in lock.standing:
        yield "\n[[accepted]]"
        yield f"model = {quoted(one.model)}"
        yield f"metric = {quoted(one.metric)}"
        yield f"before = {one.before}"
        yield f"after = {one.after}"
        yield f"reason = {quoted(one.reason)}"


def _model(found: Snapshot, key: str) -> Iterator[str]:
    yield f"\n[{key}]"
    yield f"convention = {quoted(found.convention)}"
    yield f"input = [{', '.join(quoted(text) for text in found.inputs)}]"
    yield f"peak-at = {quoted(found.peak_at)}"
    yield f"rewrite = {quoted(found.rewrite)}"
    yield f"structure = {quoted(found.structure)}"
    yield f"target = {quoted(found.target)}"
    yield from _table(f"{key}.metrics", found.metrics)
    if found.unknown:
        yield from _table(f"{key}.unknown", found.unknown)
    yield f"\n[{key}.layers]"
    for layer in sorted(found.layers, key=lambda layer: _natural(layer.path)):
        if layer.cost.macs or layer.cost.params:
            cost = layer.cost
            yield f"{quoted(layer.path)} = {{ macs = {cost.macs}, params = {cost.params} }}"


def _table(key: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"\n[{key}]"
    yield from (f"{word(name)} = {values[name]}" for name in sorted(values))


def _natural(path: str) -> list[tuple[int, str]]:
    """An order in which layer10 comes after layer9."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", path)
        if part
    ]


def read(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        UsageError: it cannot be read, has a conflict of a merge in it, is of a newer schema, or
            something in it does not fit.
    """
    file = tomlfile.read(path)
    whole = Section.at(file, ())
    schema = whole.number("schema")
    if schema != SCHEMA:
        newer = schema is not None and schema > SCHEMA
        hint = "update dualcost" if newer else "write it anew with `dualcost lock`"
        raise whole.error(
            "schema", f"its schema is {schema}, and this dualcost reads {SCHEMA}", hint
        )
    whole.only("schema", "models", "accepted")
    models = whole.table("models")
    return Lock(
        {name: _snapshot(models.table(name), name) for name in models.data},
        tuple(_acceptance(table) for table in whole.tables("accepted")),
    )


def _snapshot(table: Section, name: str) -> Snapshot:
    table.only(*MODEL_KEYS)
    layers = table.table("layers")
    return Snapshot(
        model=name,
        target=table.text("target"),
        rewrite=table.text("rewrite"),
        inputs=table.texts("input"),
        convention=table.text("convention"),
        structure=table.text("structure"),
        metrics=_integers(table.table("metrics")),
        layers=tuple(_layer(layers, path) for path in layers.data),
        peak_at=table.text("peak-at"),
        unknown=_integers(table.table("unknown")),
    )


def _integers(table: Section) -> dict[str, int]:
    return {name: table.number(name) or 0 for name in table.data}


def _layer(layers: Section, path: str) -> LayerCost:
    table = layers.table(path)
    table.only("macs", "params")
    return LayerCost(path, Cost(table.number("macs") or 0, table.number("params") or 0))


def _acceptance(table: Section) -> Acceptance:
    table.only("model", "metric", "before", "after", "reason")
    before, after = (table.number(name) or 0 for name in ("before", "after"))
    return Acceptance(
        table.text("model"), table.text("metric"), before, after, table.text("reason")
    )


def fits(base: Snapshot, now: Snapshot) -> str:
    """Why two snapshots of a model cannot be compared; "" if they can."""
    for what, old, new in (
        ("input", ", ".join(base.inputs), ", ".join(now.inputs)),
        ("convention", base.convention, now.convention),
    ):
        if old != new:
            return f"its {what} was {old}, and is {new}"
    missing = [name for name in now.metrics if name not in base.metrics]
    return f"its {missing[0]} is not known" if missing else ""


def stale(lock: Lock, now: Mapping[str, Snapshot]) -> tuple[str, ...]:
    """What is out of date in a lock file, one line for each model."""
    found = []
    for name in sorted({*lock.snapshots, *now}):
        if name not in now:
            found.append(f"{name} is no longer configured")
        elif name not in lock.snapshots:
            found.append(f"{name} is not in it")
        elif _as_kept(lock.snapshots[name]) != _as_kept(now[name]):
            found.append(f"{name}: {_changes(lock.snapshots[name], now[name])}")
    return tuple(found)


def _as_kept(found: Snapshot) -> str:
    return "\n".join(_model(found, ""))


def _changes(old: Snapshot, new: Snapshot) -> str:
    names = [
        name
        for name in ("target", "rewrite", "inputs", "convention", "structure")
        if getattr(old, name) != getattr(new, name)
    ]
    names += [
        name
        for name in sorted({*old.metrics, *new.metrics})
        if old.metrics.get(name) != new.metrics.get(name)
    ]
    return ", ".join(names or ["layers"]) + " changed"


def tightened(lock: Lock, now: Mapping[str, Snapshot]) -> Lock:
    """The lock with every metric that fell, and none that rose.

    The layers of a model follow only where none of its metrics rose: else they would not say why
    a metric is what it is.
    """
    snapshots = dict(lock.snapshots)
    for name, new in now.items():
        old = snapshots.get(name)
        if old is None or fits(old, new):
            continue
        lowest = {
            metric: min(value, new.metrics.get(metric, value))
            for metric, value in old.metrics.items()
        }
        whole = all(new.metrics.get(metric) == value for metric, value in lowest.items())
        snapshots[name] = new if whole else replace(old, metrics=lowest)
    return Lock(snapshots, lock.accepted)


def accepting(
    lock: Lock, base: Lock, metrics: Iterable[str], reason: str
) -> tuple[Acceptance, ...]:
    """What rose in these metrics from one lock to another, with the reason.

    Raises:
        UsageError: a metric rose in no model.
    """
    found: list[Acceptance] = []
    for metric in metrics:
        rose = [
            Acceptance(name, metric, base.snapshots[name].metrics[metric], after, reason)
            for name, one in lock.snapshots.items()
            if name in base.snapshots
            and (after := one.metrics[metric]) > base.snapshots[name].metrics.get(metric, after)
        ]
        if not rose:
            raise UsageError(f"{metric} did not rise in any model", "leave it out of --accept")
        found += rose
    return tuple(found)
