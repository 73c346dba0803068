"""Everything that can go wrong for a user, and the exit code it ends in.

DualcostError            one clear message and a hint
├── UsageError           a word on the command line or an argument does not fit
│   ├── UnknownNameError     no model, kind, rule or field of that name (did you mean …?)
│   ├── RuleError            the text of a rule cannot be read
│   ├── UnconfiguredError    no budgets are configured in a folder or above it
│   └── IndivisibleError     G or P does not divide the channels of a site
├── ModelError           a model cannot be found, built or run
├── TraceFileError       a trace or cache file is damaged or foreign
├── UnmeasuredError      the words fit, but the measurement could not be made here
└── OutputError          a result cannot be written
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What `dualcost` returns to the shell (documented in docs/reference/output.md)."""

    OK = 0
    FAILED = 1  # the command did its work, and a check in it did not pass
    USAGE = 2  # the command, the model or the input does not fit: nothing was computed
    UNMEASURED = 3  # all fits, but the measurement could not be made on this machine
    BUG = 70  # a fault of dualcost itself (EX_SOFTWARE of sysexits.h)
    INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT


class DualcostError(Exception):
    """Base of all errors meant for a user: a message, and a hint on what to do next."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DualcostError):
    """A word on the command line, or an argument of a function, does not fit."""


class UnknownNameError(UsageError):
    """Nothing is called that; the hint names what is close, or where to look."""

    def __init__(self, what: str, name: str, known: Iterable[str], look: str = "") -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
        if close:
            hint = f"did you mean {' or '.join(close)}?" + (f" {look}" if look else "")
        else:
            hint = look or f"known: {', '.join(known)}"
        super().__init__(f"no {what} is called {name!r}", hint)


class RuleError(UsageError):
    """The text of a rule cannot be read."""


class UnconfiguredError(UsageError):
    """No budgets are configured in a folder or above it."""


class IndivisibleError(UsageError):
    """G or P does not divide the channels of a site that was to be replaced."""


class ModelError(DualcostError):
    """A model cannot be found, built or run on the input that it was given."""


class TraceFileError(DualcostError):
    """A trace file is damaged, foreign, or of a newer schema."""


class UnmeasuredError(DualcostError):
    """All that was asked for fits, but it could not be measured on this machine."""

    exit_code = ExitCode.UNMEASURED


class OutputError(DualcostError):
    """A result cannot be written where it was asked for."""
