"""What a process of its own has imported when it ends."""

from __future__ import annotations

from pathlib import Path

from support.commands import in_a_process

HEAVY = ("torch", "torchvision", "timm", "fvcore", "sympy", "matplotlib", "numpy", "scipy")

# the rooms whose tests, run while one works, import no torch
TORCHLESS = [Path(__file__).parents[1] / room for room in ("network", "kinds", "rewrite", "costs")]

REPORT = f"""
import sys
print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)
"""


def heavy_imports_of(code: str) -> tuple[int, str]:
    """Exit code, and the heavy modules that a process has imported when it ends."""
    whole = f"import atexit\natexit.register(lambda: exec({REPORT!r}))\n{code}"
    done = in_a_process("-c", whole)
    return done.returncode, done.stderr.splitlines()[-1]


def running(arguments: str) -> str:
    return f"import sys; sys.argv = 'dualcost {arguments}'.split()\nimport dualcost.__main__"
