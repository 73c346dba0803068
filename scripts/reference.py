"""Pages of the reference that are written from declarations: the commands, and the equations.

`python scripts/reference.py` writes them, and so does update_docs.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from dualcost import cli
from dualcost.equations import COST_OF_KIND, EQUATIONS, SYMBOLS, Equation
from dualcost.kinds import KINDS
from dualcost.render.equations import equations_latex
from dualcost.render.markdown import table

REFERENCE = Path(__file__).parent.parent / "docs/reference"
LEFT = (False, False, False)
EVERYWHERE = "--debug"  # an option of every command, said once
COMMANDS_HEAD = """\
# Commands

Written by `python scripts/reference.py` from the declarations that also make `--help`.

Every command takes `--debug`, which shows the traceback of an error, and `--help`. Results go to
standard output, messages and progress to standard error. [Exit codes](../exit-codes.md) are the
same for all.
"""
EQUATIONS_HEAD = """\
# The paper's equations

Written by `python scripts/reference.py` from `dualcost/equations.py`, where they stand as they are
printed: equations (1) to (11) of [DualConv](https://doi.org/10.1109/TNNLS.2022.3151138) (Zhong,
Chen, Mian, TNNLS 2022, CC BY 4.0), sections III-A and III-B. Its “FLOPs” are multiply-accumulates.
Nothing is computed with them: they are what the recipes of the kinds are held against, by sympy, in
the tests. `dualcost equations` prints them in a terminal, `--latex` for a document.

## Symbols
"""


def commands_page() -> str:
    """Each command: what it does, its usage, its options by panel, and examples."""
    group: Any = typer.main.get_command(cli.assembled())
    parts = [COMMANDS_HEAD]
    for name, command in group.commands.items():
        module = import_module(f"{cli.__name__}.{cli.COMMANDS[name][0]}")
        parts += [f"## {name}", command.help.strip(), _usage(name, command)]
        parts += _options(command.params)
        parts.append(_block("sh", "\n".join(examples(module.EXAMPLES))))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def examples(declared: str | Iterable[str | tuple[str, str]]) -> list[str]:
    """The commands of a list of examples, each under what it is for if that is said."""
    if isinstance(declared, str):
        return [
            found[0] for part in declared.split(" · ") if (found := re.search("dualcost .*", part))
        ]
    return [one if isinstance(one, str) else f"# {one[1]}\n{one[0]}" for one in declared]


def _usage(name: str, command: Any) -> str:
    arguments = (_argument(param) for param in command.params if not param.opts[0].startswith("-"))
    return _block("text", " ".join(["dualcost", name, *arguments, "[OPTIONS]"]))


def _argument(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    name = param.name.upper() + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _options(params: Iterable[Any]) -> Iterator[str]:
    """A table for each panel; what has none comes first."""
    shown = [one for one in params if not one.hidden and EVERYWHERE not in one.opts]
    panels = list(dict.fromkeys(one.rich_help_panel or "" for one in shown))
    for panel, members in groupby(
        sorted(shown, key=lambda one: panels.index(one.rich_help_panel or "")),
        key=lambda one: one.rich_help_panel or "",
    ):
        rows = [(_names(one), _cell(one.help or ""), _default(one)) for one in members]
        yield (f"**{panel}**\n\n" if panel else "") + table(("", "", "default"), rows, LEFT)


def _names(param: Any) -> str:
    """An option as one writes it: `--output, -o PATH`."""
    if not param.opts[0].startswith("-"):
        return f"`{_argument(param)}`"
    names = ", ".join((*param.opts, *param.secondary_opts))
    if getattr(param, "is_flag", False):
        return f"`{names}`"
    choices = getattr(param.type, "choices", None) or (param.metavar or "").split("|")
    again = " …" if getattr(param, "multiple", False) else ""
    if len(choices) > 1:  # a bar would be the border of a cell
        return f"`{names}` " + ", ".join(f"`{choice}`" for choice in choices) + again
    return f"`{names} {param.metavar or param.type.name.upper()}`{again}"


def _default(param: Any) -> str:
    value = getattr(param.default, "value", param.default)
    unsaid = value is None or value is False or value == "" or param.show_default is False
    return "" if unsaid or param.required else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("*", r"\*").replace("<", "&lt;")


def _block(language: str, body: str) -> str:
    return f"```{language}\n{body}\n```"


def equations_page() -> str:
    """The symbols, then each equation with what it is, and the recipe of its kind."""
    symbols = [(f"`{name}`", text) for name, text in SYMBOLS.items()]
    parts = [EQUATIONS_HEAD, table(("symbol", "is"), symbols, LEFT[:2])]
    parts.append("FL is a number of multiply-accumulates, R a ratio to the standard convolution.")
    sections = groupby(EQUATIONS, key=lambda one: one.section)
    for section, equations in sections:
        parts.append(f"## Section {section}")
        parts += [_equation(one) for one in equations]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


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


PAGES = {"commands.md": commands_page, "equations.md": equations_page}


def main() -> None:
    """Write every page that is not as it should be."""
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote docs/reference/{name}")


if __name__ == "__main__":
    main()
