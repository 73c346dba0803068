"""The pages of the manual, read from the declarations of the commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from dualcost.cli.output import announce
from dualcost.cli.word import understood
from dualcost.errors import ExitCode
from dualcost.render.manual.page import Entry, Page, Panel

ARGUMENTS, OPTIONS, COMMANDS, EXIT_CODES = "Arguments", "Options", "Commands", "Exit codes"
CODES = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "a check did not pass",
    ExitCode.USAGE: "the command, the model or the input does not fit",
    ExitCode.UNMEASURED: "it could not be measured here",
    ExitCode.BUG: "a fault of dualcost itself",
    ExitCode.INTERRUPTED: "interrupted",
}
# how the parser ends the term of an option, "--batch <int>" or "--format <json|csv>" ...
_TYPE = re.compile(r" <([^<>]+)>$")
_TYPES = {"int": "NUMBER", "int range": "NUMBER", "float": "NUMBER", "path": "FILE"}
# ... and its text: two spaces, and the default in brackets
_NOTE = re.compile(r"(?:^|  )\[([^\[\]]*)\]$")


class Command(TyperCommand):
    """A command whose help stands in panels, and that understands other words for its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words, with what each stands for."""
        names = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, understood(self.name or "", args, names, announce))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(_shown(self, ctx))


class Group(TyperGroup):
    """A group of commands whose help stands in panels."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(_shown(self, ctx))


def _shown(command: Any, context: Any) -> str:
    from dualcost.render.manual.help import help_text

    return help_text(page(command, context))


def page(command: Any, context: Any) -> Page:
    """What is said of one command, `context` being that of its parser."""
    module = sys.modules[command.callback.__module__]
    panels = [*_commands(command, context), *_parameters(command, context)]
    if context.parent is None:
        codes = (Entry(str(int(code)), about) for code, about in CODES.items())
        panels.append(Panel(EXIT_CODES, tuple(codes)))
    return Page(
        name=context.command_path,
        usage=" ".join(_usage(command)),
        about=tuple(" ".join(text.split()) for text in (command.help or "").split("\n\n")),
        panels=tuple(panels),
        examples=tuple(
            (example, about)
            for example, about in module.EXAMPLES
            if f"{example} ".startswith(f"{context.command_path} ")
        ),
    )


def pages() -> Iterator[Page]:
    """All pages: that of the program first, then one for each command."""
    from typer.main import get_command

    from dualcost.cli import assembled

    yield from _pages(get_command(assembled()), "dualcost", None)


def _pages(command: Any, name: str, parent: Any) -> Iterator[Page]:
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        yield page(command, context)
        for child in getattr(command, "commands", {}).values():
            yield from _pages(child, child.name, context)


def _usage(command: Any) -> Iterator[str]:
    yield "[OPTIONS]"
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            word = parameter.human_readable_name
            yield word if parameter.required or word.startswith("[") else f"[{word}]"
    if hasattr(command, "commands"):
        yield "COMMAND [ARGS]..."


def _parameters(command: Any, context: Any) -> Iterator[Panel]:
    """Arguments first, then panels as they are declared, and what has no panel of its own last."""
    found: dict[str, list[Entry]] = {ARGUMENTS: []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:  # it is hidden
            continue
        usual = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
        title = getattr(parameter, "rich_help_panel", None) or usual
        term, text = record
        term = _TYPE.sub(lambda found: f" {_TYPES.get(found[1], found[1])}", term)
        note = _NOTE.search(text)
        about = text[: note.start()] if note else text
        found.setdefault(title, []).append(Entry(term, about, note[1] if note else ""))
    found[OPTIONS] = found.pop(OPTIONS, [])
    yield from (Panel(title, tuple(entries)) for title, entries in found.items() if entries)


def _commands(command: Any, context: Any) -> Iterator[Panel]:
    found: dict[str, list[Entry]] = {}
    for name, child in getattr(command, "commands", {}).items():
        title = child.rich_help_panel or COMMANDS
        about = " ".join((child.help or "").split("\n\n")[0].split())
        found.setdefault(title, []).append(Entry(name, about))
    yield from (Panel(title, tuple(entries)) for title, entries in found.items())
