"""What a shell is told when its user presses the tab key.

typer brings the scripts that ask (`--install-completion`), and finds the option or argument that a
word is for. Its answers are not taken: they know nothing of the colons at which bash breaks words,
and fold their texts at 80 columns.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dualcost.cli import COMPLETION

# What ends a word for bash, and none for dualcost: "zoo:resnet50" arrives as three words.
BREAKS = frozenset(":=@")
# A word that ends so goes on: no space is put after it, where a shell can be told so.
UNFINISHED = (":", "=", "/", "+", "@", ",")


@dataclass(frozen=True)
class Line:
    """A command line up to the cursor, without the name of the program.

    Attributes:
        words: those that are complete.
        begun: the one under the cursor; of "--conv=du" the value, for the option is complete.
        before: what stands before `begun` in the same word: "--conv=".
        kept: how much of both the shell leaves as it is, and does not want to hear again.
    """

    words: tuple[str, ...]
    begun: str
    before: str = ""
    kept: int = 0

    @classmethod
    def of(cls, words: list[str], kept: int = 0) -> Line:
        """A line whose last word is begun."""
        *whole, begun = words
        option, equals, value = begun.partition("=")
        if option.startswith("-") and equals:
            return cls((*whole, option), value, f"{option}=", kept)
        return cls(tuple(whole), begun, kept=kept)


@dataclass(frozen=True)
class Item:
    """A word that may stand there, and what it means."""

    word: str
    about: str = ""


def asked(environment: Mapping[str, str]) -> Line:
    """The line that a shell asks about."""
    if environment[COMPLETION] == "complete_bash":
        return of_bash(environment["COMP_WORDS"].split("\n"), int(environment["COMP_CWORD"]))
    return of_text(environment.get("_TYPER_COMPLETE_ARGS", ""))


def of_bash(pieces: list[str], index: int) -> Line:
    """Join what bash broke: its words up to the cursor, and the one that the cursor is in."""
    words: list[str] = []
    kept, joins = 0, False
    for piece in pieces[1 : index + 1]:
        breaks = bool(piece) and BREAKS.issuperset(piece)
        if words and (breaks or (joins and not piece.startswith("-"))):
            kept = len(words[-1]) + len(piece) * breaks
            words[-1] += piece
            kept -= words[-1][:kept].endswith(
                "@"
            )  # which bash breaks at, and replaces all the same
        else:
            kept = 0
            words.append(piece)
        joins = breaks
    return Line.of([_bare(word) for word in words or [""]], kept)


def of_text(text: str) -> Line:
    """Split a line as a shell does; a quote that is still open belongs to the last word."""
    lexer = _lexer(text)
    words: list[str] = []
    try:
        words += lexer
        if text[-1:].isspace():
            words.append("")
    except ValueError:
        words.append(lexer.token)
    return Line.of(words[1:] or [""])


def _lexer(text: str) -> shlex.shlex:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return lexer


def _bare(word: str) -> str:
    """A word of the shell without its quotes, the last of which may be missing."""
    lexer = _lexer(word)
    lexer.whitespace = ""
    try:
        return "".join(lexer)
    except ValueError:
        return lexer.token


def items(command: Any, line: Line) -> list[Item]:
    """What may stand there; nothing where files may, which the shell knows itself."""
    # the only way that typer gives to a command's own completions
    from typer._completion_classes import BashComplete

    finder = BashComplete(command, {}, "dualcost", COMPLETION)
    found = finder.get_completions(list(line.words), line.begun)
    plain = (one for one in found if one.type == "plain")  # others are files
    return [Item(f"{line.before}{one.value}", one.help or "") for one in plain]


def answer(environment: Mapping[str, str], line: Line, found: Iterable[Item]) -> str:
    """Words in the form that the script of bash, zsh or fish reads."""
    form = {"complete_bash": _bash, "complete_zsh": _zsh, "complete_fish": _fish}
    return form[environment[COMPLETION]](line, list(found))


def _bash(line: Line, found: list[Item]) -> str:
    return "".join(f"{item.word[line.kept :]}\n" for item in found)


def _zsh(line: Line, found: list[Item]) -> str:
    """Code that zsh runs: `_describe` shows words with their meaning, and quotes what needs it."""
    if not found:
        return "_files\n"
    code = []
    for ended, option in ((True, ""), (False, " -S ''")):
        some = [item for item in found if ended is not item.word.endswith(UNFINISHED)]
        if some:
            described = " ".join(shlex.quote(_described(item)) for item in some)
            code.append(f"words_=({described}); _describe -V dualcost words_{option}")
    return f"local -a words_; {'; '.join(code)}\n"


def _described(item: Item) -> str:
    word = item.word.replace("\\", "\\\\").replace(":", "\\:")
    return f"{word}:{' '.join(item.about.split())}" if item.about else word


def _fish(line: Line, found: list[Item]) -> str:
    return "".join(
        f"{item.word}\t{' '.join(item.about.split())}\n" if item.about else f"{item.word}\n"
        for item in found
    )


def reply(command: Any, line: Line) -> tuple[str, bool]:
    """The answer to the shell that asks, and whether there is one.

    fish asks twice: first whether there are words at all, and reads the exit code alone.
    """
    found = items(command, line)
    if os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", bool(found)
    return answer(os.environ, line, found), bool(found)
