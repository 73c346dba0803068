"""Pages that are written from declarations: commands, equations, metrics, and the list of rooms.

`python scripts/reference.py` writes them, and so does update_docs.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from inspect import isfunction
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from rooms import rooms

from dualcost.cli import COMMANDS
from dualcost.cli.options import Change, Output, Source
from dualcost.cli.pages import EXIT_CODES, pages
from dualcost.cli.record import records
from dualcost.costs.metrics import COMPARED, EXACT, KEPT, METRICS
from dualcost.kinds.equations import COST_OF_KIND, EQUATIONS, SYMBOLS, Equation
from dualcost.kinds.kinds import KINDS
from dualcost.render.equations import equations_latex
from dualcost.render.glossary import GLOSSARY
from dualcost.render.manual.page import Panel
from dualcost.render.profile.markdown import table
from dualcost.search.fit.budget import NAMES
from dualcost.views.side import OF_NETWORKS

DOCS = Path(__file__).parent.parent / "docs"
HOUSE = "architecture.md"
COUNTING = "explain/counting.md"
EVERYWHERE = ("--debug", "-h, --help", "--help, -h")  # options of every command, said once
COMMANDS_HEAD = """\
# Commands

Written by `python scripts/reference.py` from the declarations that also make `--help`.

Every command takes `--debug`, which shows the traceback of an error, and `--help`. Results go to
standard output, messages and progress to standard error. [Exit codes](output.md#exit-codes) are the
same for all:
"""
MATRIX_HEAD = """\
Every command about networks takes a model with its rewrite (`MODEL+dual:G=4@RULE`), the options of
[profile](#profile) that say its input, what is counted and what is replaced, and `--format`,
`--json` and `-o`. These are left out:
"""
SHARED = (Source, Change, Output)
# a record that a command about networks lacks, with the reason for each of its options
ABSENT: dict[str, dict[str, str]] = {"check": {}}  # it has those of several files at once
EQUATIONS_HEAD = """\
# The paper's equations

Written by `python scripts/reference.py` from `dualcost/kinds/equations.py`, where they stand as
they are printed: equations (1) to (11) of
[DualConv](https://doi.org/10.1109/TNNLS.2022.3151138) (Zhong, Chen, Mian, TNNLS 2022,
CC BY 4.0), sections III-A and III-B. Its “FLOPs” are multiply-accumulates.
Nothing is computed with them: they are what the recipes of the kinds are held against, by sympy, in
the tests. `dualcost equations` prints them in a terminal, `--format latex` for a document.

## Symbols
"""
GLOSSARY_HEAD = """\
# Glossary

Tables, reports and messages use these words. Written by `python scripts/reference.py` from
`dualcost/render/glossary.py`; every page of `dualcost report` has them too.
"""


def commands_page() -> str:
    """Each command: what it does, its usage, its options by panel, and examples."""
    root, *found = pages()
    parts = [COMMANDS_HEAD]
    parts += [_panel(one) for one in root.panels if one.title == EXIT_CODES]
    for page in found:
        parts += [f"## {page.name.removeprefix('dualcost ')}", *map(_words, page.about)]
        parts.append(_block("text", f"{page.name} {page.usage}"))
        parts += map(_panel, page.panels)
        if page.examples:
            shown = (f"# {about}\n{command}" for command, about in page.examples)
            parts.append(_block("sh", "\n".join(shown)))
    parts += ["## Which options a command takes", MATRIX_HEAD, _matrix()]
    return _joined(parts)


def _matrix() -> str:
    """Each shared option that some command about networks does not take, and why."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name, (function, _) in COMMANDS.items():
        command = getattr(import_module(f"dualcost.cli.commands.{name}"), function)
        taken = records(command) if isfunction(command) else {}
        if Source not in taken:
            continue
        for record in SHARED:
            told = taken.get(record)
            left = getattr(told, "reasons", {}) if record in taken else ABSENT[name]
            for field, reason in left.items():
                rows.setdefault((f"--{field.replace('_', '-')}", reason), []).append(name)
    cells = [
        (f"`{option}`", ", ".join(names), _words(reason))
        for (option, reason), names in sorted(rows.items())
    ]
    return table(("option", "not taken by", "because"), cells, (False,) * 3)


def _panel(panel: Panel) -> str:
    kept = [one for one in panel.entries if one.term not in EVERYWHERE]
    rows = [(_term(one.term), _words(one.about), _words(one.note)) for one in kept]
    if not rows:
        return ""
    columns = 3 if any(one.note for one in kept) else 2
    titles = (panel.title, "", "")[:columns]
    return table(titles, [row[:columns] for row in rows], [False] * columns)


def _term(text: str) -> str:
    """An option as code; its choices one by one, as a bar would be the border of a cell."""
    option, _, choices = text.rpartition(" ")
    if "|" not in choices:
        return f"`{text}`"
    return f"`{option}` " + ", ".join(f"`{choice}`" for choice in choices.split("|"))


def _words(text: str) -> str:
    """Words of --help as Markdown: what is code there is code here, and nothing else is marked."""
    return re.sub(r"([*<_])(?=[^`]*(?:`[^`]*`[^`]*)*$)", r"\\\1", text)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _block(language: str, body: str) -> str:
    return f"```{language}\n{body}\n```"


def equations_page() -> str:
    """The symbols, then each equation with what it is, and the recipe of its kind."""
    symbols = [(f"`{name}`", text) for name, text in SYMBOLS.items()]
    parts = [EQUATIONS_HEAD, table(("symbol", "is"), symbols, (False, False))]
    parts.append("FL is a number of multiply-accumulates, R a ratio to the standard convolution.")
    sections = groupby(EQUATIONS, key=lambda one: one.section)
    for section, equations in sections:
        parts.append(f"## Section {section}")
        parts += [_equation(one) for one in equations]
    return _joined(parts)


def _equation(equation: Equation) -> str:
    of_kind = {number: name for name, number in COST_OF_KIND.items()}
    maths = equations_latex([equation]).partition(r" \tag")[0]  # its number is in the heading
    maths = re.sub(r"^(\w+)_{(.+?)} =", r"\\mathrm{\1}_{\\mathrm{\2}} =", maths)
    lines = [f"### ({equation.number}) {equation.name}", _block("math", maths)]
    if equation.number in of_kind:
        kind = KINDS[of_kind[equation.number]]
        letter = f" --{kind.letter} 4" if kind.letter else ""
        lines.append(f"`--conv {kind.name}{letter}`: {kind.about.rpartition(' (')[0]}.")
    return "\n\n".join(lines)


def house_page() -> str:
    """The page about the house, with the rooms as they are now."""
    return _with(HOUSE, "rooms", _block("text", rooms()))


def counting_page() -> str:
    """The page about what is counted, with the metrics as they are now."""
    places = {
        "solve": EXACT,
        "fit": NAMES,
        "check": KEPT,
        "sweep": COMPARED,
        "compare": OF_NETWORKS,
    }
    rows = [
        [
            f"`{name}`" + "".join(f", or `{alias}`" for alias in metric.aliases),
            metric.about,
            str(metric.unit),
            ", ".join(place for place, known in places.items() if name in known),
        ]
        for name, metric in METRICS.items()
    ]
    shown = table(["metric", "what", "unit", "read by"], rows, [False] * 4)
    return _with(COUNTING, "metrics", shown.strip())


def _with(name: str, mark: str, shown: str) -> str:
    """A page with what stands between two marks written anew."""
    before, _, rest = (DOCS / name).read_text().partition(f"<!-- {mark} -->")
    _, _, after = rest.partition(f"<!-- /{mark} -->")
    return f"{before}<!-- {mark} -->\n\n{shown}\n\n<!-- /{mark} -->{after}"


def glossary_page() -> str:
    """Each word with what it means, in the order of the alphabet."""
    parts = [GLOSSARY_HEAD]
    for word in GLOSSARY:
        parts += [f"## {word.name}", "\n".join(wrap(_words(word.about), 100))]
    return _joined(parts)


def llms_page() -> str:
    """What the documents are, in a line each, for programs that read them."""
    root, *found = pages()
    parts = [f"# dualcost\n\n> {' '.join(root.about)}", "## Commands"]
    parts.append("\n".join(f"- `{one.name} {one.usage}`: {one.about[0]}" for one in found))
    examples = (f"- `{command}`: {about}" for one in found for command, about in one.examples)
    parts += ["## Examples", "\n".join(examples), "## Pages"]
    texts = ((path, path.read_text()) for path in sorted(DOCS.glob("**/*.md")))
    titles = ((path, re.search(r"^# (.*)$", text, re.MULTILINE)) for path, text in texts)
    parts.append(
        "\n".join(
            f"- [{title[1]}]({path.relative_to(DOCS).with_suffix('.html').as_posix()})"
            for path, title in titles
            if title
        )
    )
    return _joined(parts)


PAGES = {
    "llms.txt": llms_page,
    "reference/commands.md": commands_page,
    "paper/equations.md": equations_page,
    "reference/glossary.md": glossary_page,
    HOUSE: house_page,
    COUNTING: counting_page,
}


def main() -> None:
    """Write every page that is not as it should be."""
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
