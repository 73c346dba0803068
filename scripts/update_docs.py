"""Keep the documents true: run the commands that they show, and write what they print.

    python scripts/update_docs.py

In a ```console block, a line that starts with "$ dualcost" is a command, and what follows up to
the next command is what it prints at 80 columns. A page may also be one `session`.
tests/test_docs.py runs the same and compares.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import reference
import session
from session import PROMPT, commands

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
FIGURES = "docs/figures"
DESIGNS = {
    "standard": "--conv standard",
    "dsc": "--conv dsc",
    "group": "--conv group --G 2",
    "het": "--conv het --P 4",
    "dual": "--conv dual --G 2",
}


def output_of(command: str) -> str:
    """What a dualcost command prints, standard error first, at 80 columns and without colours."""
    words = shlex.split(command)
    if words[0] != "dualcost":
        raise ValueError(f"only dualcost commands are run: {command}")
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr + done.stdout


def renewed(text: str) -> str:
    """A document with the output of its commands as it is now."""
    if session.is_session(text):
        return session.rerun(text)

    def block(match: re.Match[str]) -> str:
        shown = "".join(
            f"{PROMPT}{command}\n{output_of(command) if command.startswith('dualcost') else rest}"
            for command, rest in commands(match[1])
        )
        return f"```console\n{shown}```"

    return CONSOLE.sub(block, text)


def main() -> None:
    """Renew every document, those that are written whole, and the figures that they show."""
    subprocess.run(
        [sys.executable, "-m", "dualcost", "paper", "plot", "-o", FIGURES], cwd=ROOT, check=True
    )
    for name, options in DESIGNS.items():
        words = ["draw", *options.split(), "-o", f"{FIGURES}/{name}.svg"]
        subprocess.run([sys.executable, "-m", "dualcost", *words], cwd=ROOT, check=True)
    sweep = ["sweep", "--plot", f"{FIGURES}/sweep.svg"]
    subprocess.run(
        [sys.executable, "-m", "dualcost", *sweep], cwd=ROOT, check=True, capture_output=True
    )
    for path in Path(ROOT / FIGURES).glob("*.png"):
        path.unlink()  # pages show the SVG
    reference.main()
    for path in DOCUMENTS:
        text = path.read_text()
        new = renewed(text)
        if new != text:
            path.write_text(new)
            print(f"renewed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
