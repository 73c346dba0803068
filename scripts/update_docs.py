"""Keep the documents true: run the commands that they show, and write what they print.

    python scripts/update_docs.py

In a ```console block, a line that starts with "$ dualcost" is a command, and what follows up to
the next command is what it prints at 80 columns. A page may also be one `session`.
tests/documents/test_docs.py runs the same and compares.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import reference
import session
from rich.console import Console
from rich.text import Text
from session import PROMPT, commands
from warm_python import warm_python

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SKILL.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
FIGURES = "docs/figures"
PICTURE = "dualcost profile resnet50 --conv dual --G 4 --depth 1"
DESIGNS = {
    "standard": "--conv standard",
    "dsc": "--conv dsc",
    "group": "--conv group --G 2",
    "het": "--conv het --P 4",
    "dual": "--conv dual --G 2",
}


def output_of(command: str, coloured: bool = False) -> str:
    """What a dualcost command prints at 80 columns, standard error first."""
    words = shlex.split(command)
    if words[0] != "dualcost":
        raise ValueError(f"only dualcost commands are run: {command}")
    environment = session.surroundings(COLUMNS="80")
    if coloured:
        environment.pop("NO_COLOR", None)
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color"} if coloured else {"NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment | colours,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr + done.stdout


def picture(command: str) -> str:
    """A command and what it prints, as an SVG of a terminal; the reader's own fonts are used."""
    console = Console(record=True, width=80, file=io.StringIO(), highlight=False)
    console.print(Text(f"{PROMPT}{command}", "bold"))
    console.print(Text.from_ansi(output_of(command, coloured=True)), end="")
    fonts = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    svg = console.export_svg(title="dualcost", unique_id="dualcost")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # they come from the network
    svg = re.sub(r"font-family: (?:Fira Code|arial)[^;]*;", f"font-family: {fonts};", svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


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
    (ROOT / FIGURES / "profile.svg").write_text(picture(PICTURE))
    for path in Path(ROOT / FIGURES).glob("table*.png"):
        path.unlink()  # pages show the SVG
    reference.main()
    for path in DOCUMENTS:
        text = path.read_text()
        new = renewed(text)
        if new != text:
            path.write_text(new)
            print(f"renewed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    with warm_python() as sys.executable:
        main()
