"""A limit on a metric, as a configuration says it: of a model, of its layers, of their growth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from dualcost.costs.metrics import KEPT, Better
from dualcost.errors import UsageError
from dualcost.gate import metrics
from dualcost.toml import Section
from dualcost.units import parse_percent

OFF, WARN, ERROR = "off", "warn", "error"
LEVELS = (OFF, WARN, ERROR)
_LIMIT = re.compile(r"\s*([\w.-]+)\s*(<=|>=|=)\s*(.*\S)\s*")


@dataclass(frozen=True)
class Limit:
    """What one metric may be.

    Attributes:
        metric: its name.
        high: the largest value that is allowed, in the metric's canonical unit.
        low: the smallest one.
        level: WARN or ERROR: what a value beyond them is.
        message: what the user wants to be told then.
        against: of a reduction, the target that it is measured against; "" is the model before
            its rewrite.
        threads: of a latency, how many torch computes with.
        line: where it stands.
    """

    metric: str
    high: Fraction | None
    low: Fraction | None
    level: str
    message: str
    against: str
    threads: int
    line: int

    @classmethod
    def stated(cls, metric: str, text: str | int, known: tuple[str, ...] = metrics.NAMES) -> Limit:
        """The largest value of a metric, of which less is better; else the smallest.

        Raises:
            UsageError: there is no such metric, or the text is not a quantity of it.
        """
        metric = metrics.check(metric, known)
        found = metrics.quantity(metric, text)
        more = metrics.better(metric) is Better.MORE
        low, high = (found, None) if more else (None, found)
        return cls(metric, high, low, ERROR, message="", against="", threads=1, line=0)

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read "macs=3G", "params <= 20M" or "reduction.params >= 25 %".

        Raises:
            UsageError: it has another form, or the sign is the wrong way round for the metric.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is not a limit", "write macs=3G or params=20M")
        limit = cls.stated(match[1], match[3])
        usual = "<=" if limit.low is None else ">="
        if match[2] not in ("=", usual):
            better = "less" if usual == "<=" else "more"
            raise UsageError(
                f"of {limit.metric} {better} is better, and {text!r} says {match[2]}",
                f"write {limit.metric} {usual} {match[3]}",
            )
        return limit

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, exactly."""
        bounds = {name: getattr(self, name) for name in ("high", "low")}
        texts = {name: None if bound is None else str(bound) for name, bound in bounds.items()}
        return {**asdict(self), **texts}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Limit:
        """Read what `to_json` made."""
        texts = {name: document[name] for name in ("high", "low")}
        bounds = {name: text and Fraction(text) for name, text in texts.items()}
        return cls(**{**document, **bounds})


@dataclass(frozen=True)
class LayerLimits:
    """Limits of the layers whose paths fit a glob: of their sum, or of each."""

    match: str
    sum: bool
    limits: tuple[Limit, ...]
    line: int


@dataclass(frozen=True)
class Allowance:
    """How much a metric may grow against the baseline; of two bounds, both must be exceeded.

    Attributes:
        metric: its name.
        share: the growth that is allowed, as a share of the baseline.
        absolute: the same in the metric's unit.
        level: WARN or ERROR.
        message: what the user wants to be told.
        line: where it stands.
    """

    metric: str
    share: Fraction | None
    absolute: Fraction | None
    level: str
    message: str
    line: int

    @classmethod
    def parse(cls, text: str) -> Allowance:
        """Read "macs=1%", "params=0" or "macs=5M": a share of the baseline, or the metric's unit.

        Raises:
            UsageError: it has another form, or its metric is a time.
        """
        match = _LIMIT.fullmatch(text)
        if match is None or match[2] == ">=":
            raise UsageError(f"{text!r} does not say how much may grow", "write macs=1%")
        metric = metrics.check(match[1], tuple(KEPT))
        if match[3] == "0" or match[3].endswith("%"):
            share = parse_percent(f"{match[3].rstrip('% ')}%")
            return cls(metric, share, None, ERROR, message="", line=0)
        return cls(metric, None, metrics.quantity(metric, match[3]), ERROR, message="", line=0)

    def exceeded(self, base: int, now: int) -> bool:
        """Whether a metric grew by more than is allowed."""
        growth = now - base
        return (self.share is None or growth > self.share * base) and (
            self.absolute is None or growth > self.absolute
        )

    def most(self, base: int) -> Fraction:
        """The largest value that is allowed."""
        bounds = (self.share is not None and self.share * base, self.absolute)
        return base + max(Fraction(bound) for bound in bounds if bound is not None)


def read_layer_limits(table: Section) -> LayerLimits:
    """Read one [[….layer]].

    Raises:
        UsageError: something in it does not fit.
    """
    table.only("match", "sum", *metrics.OF_LAYERS)
    match = table.text("match")
    if not match:
        raise table.error("", "it does not say which layers", 'add match = "layer4.*"')
    limits = tuple(read_limits(table, metrics.OF_LAYERS, but=("match", "sum")))
    if not limits:
        known = ", ".join(metrics.OF_LAYERS)
        raise table.error("", f"{match} has no limit", f"add one of {known}")
    return LayerLimits(match, table.flag("sum", True), limits, table.file.line(table.key))


def read_limits(
    table: Section, known: tuple[str, ...], but: tuple[str, ...] = ()
) -> Iterator[Limit]:
    """Every limit of a table that is not off.

    `reduction.macs` and `latency.cpu` stand in tables of their own. `but` are keys of the table
    that are no metrics.

    Raises:
        UsageError: something in it does not fit.
    """
    for name, value in table.data.items():
        if name in but:
            continue
        inner = [one for one in known if one.startswith(f"{name}.")]
        if inner and isinstance(value, dict):
            group = table.table(name)
            names = [one.partition(".")[2] for one in inner]
            found = [
                _limit(group, f"{name}.{_metric(group, one, names)}", one) for one in group.data
            ]
        else:
            found = [_limit(table, _metric(table, name, known), name)]
        yield from (limit for limit in found if limit.level != OFF)


def _metric(table: Section, name: str, known: Sequence[str]) -> str:
    """The metric that a key names, as files have it."""
    metric = metrics.canonical(name)
    if metric not in known:
        table.named("metric", known, only=name)
    return metric


def _limit(table: Section, metric: str, name: str) -> Limit:
    """One limit: a shorthand for its maximum (its minimum, if more is better), or a table."""
    value = table.data[name]
    usual = WARN if metric in metrics.LATENCIES else ERROR
    line = table.file.line((*table.key, name))
    if not isinstance(value, dict):
        found = _quantity(table, metric, name)
        more = metrics.better(metric) is Better.MORE
        low, high = (found, None) if more else (None, found)
        return Limit(metric, high, low, usual, "", "", 1, line)
    inner = table.table(name)
    extra: tuple[str, ...] = ("against",) if metric.startswith(metrics.REDUCTION) else ()
    extra += ("threads",) if metric in (metrics.CPU, metrics.CUDA) else ()
    inner.only("max", "min", "level", "message", *extra)
    high, low = (
        _quantity(inner, metric, bound) if bound in inner.data else None for bound in ("max", "min")
    )
    if high is None and low is None:
        raise inner.error("", f"{metric} has neither max nor min", 'add max = "…"')
    if high is not None and low is not None and low > high:
        raise inner.error("min", f"{metric}: min is larger than max", "leave one of them out")
    threads = inner.number("threads", 1)
    if not threads or threads < 1:
        raise inner.error("threads", f"{threads} threads do not compute", "write threads = 1")
    return Limit(
        metric,
        high,
        low,
        _level(inner, usual),
        inner.text("message"),
        inner.text("against"),
        threads,
        line,
    )


def read_allowance(table: Section, name: str) -> Allowance:
    """Read how much one metric may grow.

    Raises:
        UsageError: something in it does not fit.
    """
    if name in (*metrics.LATENCIES, "latency"):
        raise table.error(
            name,
            "a latency of another run is not a baseline",
            "a latency is compared with what runs beside it: give it a budget instead",
        )
    metric = _metric(table, name, tuple(KEPT))
    line = table.file.line((*table.key, name))
    if not isinstance(table.data[name], dict):
        return Allowance(metric, _percent(table, name), None, ERROR, "", line)
    inner = table.table(name)
    inner.only("max-increase", "max-increase-abs", "level", "message")
    share = _percent(inner, "max-increase") if "max-increase" in inner.data else None
    absolute = (
        _quantity(inner, metric, "max-increase-abs") if "max-increase-abs" in inner.data else None
    )
    if share is None and absolute is None:
        raise inner.error("", f"{name} does not say how much", 'add max-increase = "0 %"')
    return Allowance(metric, share, absolute, _level(inner, ERROR), inner.text("message"), line)


def _level(table: Section, usual: str) -> str:
    found = table.text("level", usual)
    if found not in LEVELS:
        raise table.error("level", f"{found!r} is not a level", f"one of {', '.join(LEVELS)}")
    return found


def _percent(table: Section, name: str) -> Fraction:
    with table.located(name):
        return parse_percent(table.text(name))


def _quantity(table: Section, metric: str, name: str) -> Fraction:
    found = table.data[name]
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise table.error(name, f"{name} = {found!r} is not a quantity", 'write "19 M"')
    with table.located(name):
        return metrics.quantity(metric, found)
