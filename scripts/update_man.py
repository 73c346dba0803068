"""Write the man page anew: `python scripts/update_man.py`.

It is read from the declarations of the commands, as `--help` is; tests/render/test_man.py says when
it is out of date.
"""

from __future__ import annotations

from pathlib import Path

from dualcost.cli.pages import EXIT_CODES, pages
from dualcost.render.manual.man import man_page

PATH = Path(__file__).parent.parent / "man" / "dualcost.1"


def text() -> str:
    """The man page as it should be."""
    return man_page(tuple(pages()), EXIT_CODES)


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
