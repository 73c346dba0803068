"""The version of dualcost, and those of what is installed beside it."""

from __future__ import annotations

import sys
from pathlib import Path

__version__ = "0.1.0"


def installed(name: str) -> str:
    """The version of an installed package, by the name of its folder of facts; "" if there is none.

    Neither the package is imported nor `importlib.metadata`, which takes longer than most commands.
    """
    start = f"{name}-"
    for folder in map(Path, sys.path):
        for found in folder.glob(f"{start}*.dist-info"):
            return found.name.removeprefix(start).removesuffix(".dist-info")
    return ""


def public(version: str) -> str:
    """A version without its local part: `public("2.15.0+cu132")` is "2.15.0"."""
    return version.partition("+")[0]
