"""The site of the documents: how mkdocs builds it, every warning an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# not --quiet: that hides warnings from --strict, too
MKDOCS = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]


def build(*words: str) -> subprocess.CompletedProcess[str]:
    """Build it into a folder, the first of the words; others are options of mkdocs."""
    return subprocess.run(
        [*MKDOCS, *words],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
