"""What `--help` and the man page say, as data: pages of panels, with examples."""

from __future__ import annotations

from dataclasses import dataclass

# a command as it is typed, and what it does
Example = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """A line of a panel.

    Attributes:
        term: what is written, such as "-o, --output FILE".
        about: what it means.
        note: what else is to be known of it, such as "default: torch" or "required".
    """

    term: str
    about: str
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """Entries that belong together, under a title."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Page:
    """What is said of one command.

    Attributes:
        name: the command as it is typed, "dualcost profile".
        usage: what may follow it, "[OPTIONS] MODEL".
        about: paragraphs; the first is one sentence.
        panels: of arguments, options, commands and exit codes.
        examples: each is run by the tests.
    """

    name: str
    usage: str
    about: tuple[str, ...]
    panels: tuple[Panel, ...]
    examples: tuple[Example, ...] = ()


def lines(command: str, width: int) -> list[str]:
    """A command in lines of this width, joined by backslashes as shells read them.

    It is broken before options, and is not broken where there are none.
    """
    first, *options = command.split(" -")
    found = [first]
    for option in options:
        if len(found[-1]) + len(option) + 4 <= width:  # a space, the dash, and a backslash to come
            found[-1] += f" -{option}"
        else:
            found[-1] += " \\"
            found.append(f"    -{option}")
    return found
