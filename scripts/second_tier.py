"""Run the whole second tier of the tests, of which every other run takes an eighth a day.

python scripts/second_tier.py [more words for pytest]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """The exit code of pytest."""
    words = ("--all", "-m", "second_tier", "-n", "auto", *arguments)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
