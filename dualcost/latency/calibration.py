"""A machine's calibration: how long each family of ops takes on it, as plain JSON.

It is measured by `dualcost calibrate` (`lab/calibrate.py`) and kept in the user's data folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from dualcost.errors import DualcostError, UnmeasuredError, UsageError
from dualcost.files import write_atomically
from dualcost.latency.machine import Machine
from dualcost.latency.regression import TERMS, Curve
from dualcost.latency.workload import Workload

SCHEMA = 1
FORMATS = ("contiguous", "channels_last")
AGAIN = "run `dualcost calibrate` (about a minute)"
# A family that was not measured runs like another one, more or less.
STAND_INS = {
    "transposed": "dense",
    "grouped_pointwise": "grouped",
    "narrow": "grouped",
    "strided": "pointwise",
    "grouped": "dense",
    "image": "dense",
    "shuffle": "copy",
    "row": "linear",
    "hardswish_": "silu_",
    "relu": "relu_",
    "add": "add_",
}
DIGITS = 6  # significant ones; times repeat to two or three


@dataclass(frozen=True)
class Pair:
    """A family's curves: with weights from a cache, and with weights from memory."""

    warm: Curve
    cold: Curve

    @property
    def spread(self) -> float:
        """The larger spread of both."""
        return max(self.warm.spread, self.cold.spread)


@dataclass(frozen=True)
class Calibration:
    """What was learnt of a machine.

    Attributes:
        machine: where it was measured.
        date: when, as ISO 8601 in UTC.
        version: of the dualcost that measured.
        macs_per_s: the most multiply-accumulates per second that any op reached.
        bytes_per_s: how fast memory is read.
        slowdown: how much longer ops take in a network than by themselves, by memory format.
        call_s: what calling a layer costs besides its op, by memory format.
        curves: by memory format and family.
    """

    machine: Machine
    date: str
    version: str
    macs_per_s: float
    bytes_per_s: float
    slowdown: Mapping[str, float]
    call_s: Mapping[str, float]
    curves: Mapping[str, Mapping[str, Pair]]

    def knows(self, family: str, format: str) -> bool:
        """Ops of this family have a curve, or another family's stands in."""
        return self._stand_in(family, format) in self.curves[format]

    def spread(self, family: str, format: str) -> float:
        """The standard deviation of a family's relative errors; twice that of a stand-in's."""
        found = self._stand_in(family, format)
        return self.curves[format][found].spread * (1 if found == family else 2)

    def seconds(self, work: Workload, format: str, share: float = 1.0) -> float:
        """The time of one op in a network, when this share of its weights comes from memory.

        Raises:
            KeyError: nothing is known of its family.
        """
        pair = self.curves[format][self._stand_in(work.family, format)]
        alone = self._on(pair.warm, work, format, "warm")
        if pair.cold is not pair.warm and share:
            alone += share * (self._on(pair.cold, work, format, "cold") - alone)
        return self.slowdown[format] * alone

    def _on(self, curve: Curve, work: Workload, format: str, state: str) -> float:
        key = (work, format, state)
        if key not in self._known:
            self._known[key] = curve.seconds(work)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[Workload, str, str], float]:
        """Times that were asked for before: networks repeat their layers."""
        return {}

    def _stand_in(self, family: str, format: str) -> str:
        while family in STAND_INS and family not in self.curves[format]:
            family = STAND_INS[family]
        return family

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "schema": SCHEMA,
            "date": self.date,
            "version": self.version,
            "machine": self.machine.to_json(),
            "macs_per_s": self.macs_per_s,
            "bytes_per_s": self.bytes_per_s,
            "formats": {
                format: {
                    "slowdown": self.slowdown[format],
                    "call_s": self.call_s[format],
                    "families": {
                        name: {"warm": _as_json(pair.warm)}
                        | ({} if pair.cold == pair.warm else {"cold": _as_json(pair.cold)})
                        for name, pair in self.curves[format].items()
                    },
                }
                for format in FORMATS
            },
        }

    @classmethod
    def from_json(cls, document: Any) -> Calibration:
        """Read what `to_json` made.

        Raises:
            ValueError, TypeError, KeyError, AttributeError, UsageError: it made something else.
        """
        formats = {name: document["formats"][name] for name in FORMATS}
        macs_per_s, bytes_per_s = float(document["macs_per_s"]), float(document["bytes_per_s"])
        calls = {name: float(facts["call_s"]) for name, facts in formats.items()}
        slowdowns = {name: float(facts["slowdown"]) for name, facts in formats.items()}
        numbers = (macs_per_s, bytes_per_s, *calls.values(), *slowdowns.values())
        if not all(map(isfinite, numbers)) or min(numbers) < 0 or not macs_per_s * bytes_per_s:
            raise ValueError("a speed or a time is not positive")
        return cls(
            machine=Machine.from_json(document["machine"]),
            date=str(document["date"]),
            version=str(document["version"]),
            macs_per_s=macs_per_s,
            bytes_per_s=bytes_per_s,
            slowdown=slowdowns,
            call_s=calls,
            curves={
                format: {name: _pair(curves) for name, curves in facts["families"].items()}
                for format, facts in formats.items()
            },
        )


def default_path() -> Path:
    """Where the calibration of this machine is kept."""
    from platformdirs import user_data_path

    return user_data_path("dualcost") / "calibration.json"


def write(calibration: Calibration, path: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(calibration.to_json(), separators=(",", ":")).replace("},", "},\n")
    write_atomically(path, f"{text}\n".encode(), make_folder=True)


def read(path: Path | None = None) -> Calibration:
    """Read a calibration; None reads that of this machine.

    Raises:
        UnmeasuredError: there is none yet.
        UsageError: the file is missing, damaged, foreign, or of another schema.
    """
    asked, path = path, path or default_path()
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        if asked is None:
            raise UnmeasuredError("this machine has not been calibrated", AGAIN) from None
        raise UsageError(f"there is no calibration at {path}", AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"{path} has schema {schema}; this dualcost reads {SCHEMA}",
            f"update dualcost, or {AGAIN}",
        )
    if schema != SCHEMA:
        raise _unreadable(path, "it has no schema number")
    try:
        return Calibration.from_json(document)
    except DualcostError as error:
        raise _unreadable(path, error.message) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def check_machine(calibration: Calibration, here: Machine) -> None:
    """Refuse a calibration of another machine.

    Raises:
        UsageError: with what differs.
    """
    differences = calibration.machine.differences(here)
    if differences:
        more = f" and {len(differences) - 2} more" if differences[2:] else ""
        raise UsageError(
            f"the calibration is of another machine: {'; '.join(differences[:2])}{more}",
            f"{AGAIN}, or take it as it is with --any-machine",
        )


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is not a readable calibration ({why})", AGAIN)


def _as_json(curve: Curve) -> dict[str, Any]:
    return {
        "seconds_per": dict(zip(TERMS, map(_rounded, curve.coefficients), strict=True)),
        "spread": _rounded(curve.spread),
        "median_error": _rounded(curve.median_error),
        "lengths": curve.lengths,
        "own": _rounded(curve.own),
        "pulls": [_rounded(pull) for pull in curve.pulls],
        "places": [[_rounded(number) for number in place] for place in curve.places],
    }


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def _pair(curves: Mapping[str, Any]) -> Pair:
    warm = _curve(curves["warm"])
    return Pair(warm, _curve(curves["cold"]) if "cold" in curves else warm)


def _curve(facts: Mapping[str, Any]) -> Curve:
    return Curve(
        coefficients=tuple(float(facts["seconds_per"][term]) for term in TERMS),
        places=tuple(tuple(map(float, place)) for place in facts["places"]),
        pulls=tuple(map(float, facts["pulls"])),
        lengths=tuple(map(float, facts["lengths"])),
        own=float(facts.get("own", 0.0)),
        spread=float(facts["spread"]),
        median_error=float(facts["median_error"]),
    )
