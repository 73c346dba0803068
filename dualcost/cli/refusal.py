"""What the parser of the command line refuses, in the words of this program: what, and what to do.

typer brings a parser of its own or uses the installed one, so its errors are told by their names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from dualcost.cli.meant import MODEL, meant_command, meant_option

_NO_NUMBER = re.compile(r"(.*) is not a valid (int|float)")
_NONE_OF = re.compile(r"(.*) is not one of (.*)")
_OUTSIDE = re.compile(r"(.*) is not in the range (.*)")
_TOO_MANY = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)")


def refusal(error: Any, words: Sequence[str]) -> tuple[str, str]:
    """The message and the hint of an error of the parser.

    Args:
        error: that the parser raised.
        words: of the command line.
    """
    context = error.ctx
    path = context.command_path if context else f"dualcost {words[0]}"
    look = f"`{path} --help` shows what it takes"
    kind, text = type(error).__name__, error.format_message().strip().rstrip(".")
    if kind == "NoSuchOption":
        hint = _meant_option(error.option_name, path, words)
        close = " or ".join(error.possibilities or ())
        return (
            f"`{path}` takes no {error.option_name}",
            hint or (f"did you mean {close}? {look}" if close else look),
        )
    if kind == "MissingParameter":
        return f"{_name(error.param)} is missing", _example(context) or look
    if kind == "BadOptionUsage":
        option = error.option_name
        return f"{option} needs a value", look
    if kind == "BadParameter":
        return f"{_name(error.param)}: {_plain(error.message)}", look
    if text.startswith("No such command"):
        return _no_command(context, words, look)
    if text.startswith("Missing command"):
        commands = ", ".join(context.command.commands)
        return f"`{path}` needs a word more", f"one of {commands}"
    if too_many := _TOO_MANY.fullmatch(text):
        return f"`{path}` has no place for {too_many[1]!r}", _example(context) or look
    return text, look


def _no_command(context: Any, words: Sequence[str], look: str) -> tuple[str, str]:
    from dualcost.library import networks as library

    commands = context.command.commands
    if context.parent is not None:  # dualcost cache foo
        word = next((word for word in words[1:] if not word.startswith("-")), "")
        return f"`{context.command_path}` knows no {word!r}", f"one of {', '.join(commands)}"
    names = (name for origin in library.ORIGINS for name in library.names(origin))
    typed = [*words[next((i for i, word in enumerate(words) if not word.startswith("-")), 0) :]]
    hint = meant_command(typed, commands, names)
    return f"there is no command {typed[0]!r}", hint or look


def _meant_option(option: str, path: str, words: Sequence[str]) -> str:
    from typer.main import get_command

    from dualcost.cli import assembled

    options = dict(_options(get_command(assembled()), ""))
    model = next((word for word in words[1:] if not word.startswith("-")), MODEL)
    return meant_option(option, path.removeprefix("dualcost").strip(), options, model)


def _options(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    """The options of a command and of those in it, by their names."""
    yield name, {opt for parameter in command.params for opt in parameter.opts if opt[0] == "-"}
    for child in getattr(command, "commands", {}).values():
        yield from _options(child, f"{name} {child.name}".strip())


def _name(parameter: Any) -> str:
    """What a parameter is called: "--top", or "MODEL" of an argument."""
    if parameter.param_type_name == "argument":
        return str(parameter.human_readable_name).strip("[].")
    return str(max(parameter.opts, key=len))


def _example(context: Any) -> str:
    """How the command is called: its first example."""
    module = sys.modules[context.command.callback.__module__]
    start = f"{context.command_path} "
    examples = [line for line, _ in module.EXAMPLES if f"{line} ".startswith(start)]
    return f"such as `{examples[0]}`" if examples else ""


def _plain(text: str) -> str:
    """What is wrong with a value, in our words."""
    text = text.strip().rstrip(".")
    if match := _NO_NUMBER.fullmatch(text):
        return f"{match[1]} is no {'whole ' * (match[2] == 'int')}number"
    if match := _NONE_OF.fullmatch(text):
        *others, last = re.findall(r"'([^']*)'", match[2])
        return f"{match[1]} is not {', '.join(others)}{' or ' if others else ''}{last}"
    if match := _OUTSIDE.fullmatch(text):
        low = re.search(r"(\S+)<=x|x>=(\S+)", match[2])
        high = re.search(r"x<=(\S+)", match[2])
        ends = [f"at least {low[1] or low[2]}"] if low else []
        ends += [f"at most {high[1]}"] if high else []
        return f"{match[1]} is not {' and '.join(ends)}"
    return text
