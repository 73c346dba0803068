"""Make the picture of a report that the documents show, from a run.

    python scripts/report_figure.py

It needs a Chromium, as the tests of pages do (see tests/support/browser.py).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURE = ROOT / "docs/figures/report.png"
WORDS = ("report", "resnet50", "--conv", "dual", "--G", "4", "--no-latency")
SIZE = {"width": 1240, "height": 1560}
LARGEST = 250_000  # bytes, for those who clone


def main() -> None:
    """Run the command, open its page, and keep the upper part of what a reader sees."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.browser import chromium

    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "dualcost", *WORDS, "-o", str(page)]
        subprocess.run(command, check=True)
        view = browser.new_page(viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]  # a dict is what it takes
        view.goto(page.as_uri())
        picture = view.screenshot()
    if len(picture) > LARGEST:
        raise SystemExit(f"{len(picture)} bytes are more than {LARGEST}")
    FIGURE.write_bytes(picture)
    print(f"wrote {FIGURE.relative_to(ROOT)}, {len(picture)} bytes")


if __name__ == "__main__":
    main()
