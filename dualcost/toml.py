"""A TOML file that users write: its values, and the line on which each key stands.

`tomllib` says where a file is malformed, and nothing about where a value came from. Messages and
annotations need that, so the keys are looked up in the text once more.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dualcost.errors import DualcostError, UnknownNameError, UsageError

Key = tuple[str | int, ...]  # a number counts the tables of an array

_TWICE = re.compile(r"Cannot declare \((.*)\) twice (\(at line .*\))")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
# What a scan for statements must step over: strings of all four kinds, and comments.
_OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)


class LocatedError(UsageError):
    """It says in which file and line it is; `path` is that of the file."""

    path: Path


@dataclass(frozen=True)
class TomlFile:
    """What a file says, and its text."""

    path: Path
    text: str
    data: dict[str, Any]

    @cached_property
    def lines(self) -> dict[Key, int]:
        """The line of each key and table, counted from 1; keys of inline tables have none."""
        found: dict[Key, int] = {}
        for key, line in _keys(self.text):
            found.setdefault(key, line)
        return found

    def line(self, key: Key, text: str = "") -> int:
        """The line of a key, or of the innermost table around it that has one.

        Args:
            key: the way to a value.
            text: of an array, the text in it whose line is meant.
        """
        while key and key not in self.lines:
            key = key[:-1]
        start = self.lines.get(key, 1)
        later = enumerate(self.text.splitlines()[start - 1 :], start)
        return next((number for number, line in later if text and text in line), start)

    def error(self, key: Key, message: str, hint: str = "", text: str = "") -> UsageError:
        """An error at a key, or at a text in its array, such as "dualcost.toml:3: …"."""
        error = LocatedError(f"{self.path}:{self.line(key, text)}: {message}", hint)
        error.path = self.path
        return error


def read(path: Path) -> TomlFile:
    """Read a file of TOML.

    Raises:
        UsageError: it cannot be read, is malformed (with line and column), or has a conflict of a
            merge left in it.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", "check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 at byte {error.start}", "TOML is UTF-8") from error
    return parse(text, path)


def parse(text: str, path: Path) -> TomlFile:
    """Read text of TOML; `path` is for messages.

    Raises:
        UsageError: it is malformed, or has a conflict of a merge left in it.
    """
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        conflict = _CONFLICT.search(text)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise UsageError(
                f"{path}:{line}: a merge conflict was left in it",
                "resolve it: of a file that a command writes, take one side and write it anew",
            ) from error
        twice = _TWICE.search(str(error))
        if twice:
            key = ".".join(re.findall(r"'([^']*)'", twice[1]))
            raise UsageError(f"{path}: {key} is there twice {twice[2]}", "rename one") from error
        raise UsageError(f"{path} is not TOML: {error}") from error


def _keys(text: str) -> Iterator[tuple[Key, int]]:
    """Each table and key of text that is TOML, with its line."""
    table: Key = ()
    arrays: dict[Key, int] = {}
    for line, statement in _statements(text):
        header = re.match(r"(\[\[?)(.*?)\]\]?\s*$", statement, re.DOTALL)
        if header is None:
            found = (*table, *_dotted(_before_equals(statement)))
            yield from ((found[:n], line) for n in range(len(table) + 1, len(found) + 1))
            continue
        table = _in_arrays(_dotted(header[2]), arrays)
        if header[1] == "[[":
            arrays[table] = arrays.get(table, -1) + 1
            table = (*table, arrays[table])
        yield table, line


def _in_arrays(key: Key, arrays: dict[Key, int]) -> Key:
    """A header's key with the number of the last table of each array that it leads through."""
    found: Key = ()
    for part in key[:-1]:
        found = (*found, part)
        if found in arrays:
            found = (*found, arrays[found])
    return (*found, *key[-1:])


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header or assignment of text that is TOML, with the line on which it begins."""
    code = _OPAQUE.sub(_uncommented, text)
    shape = _OPAQUE.sub(_hidden, text)
    depth = start = 0
    for end, character in enumerate(f"{shape}\n"):
        depth += (character in "[{") - (character in "]}")
        if character == "\n" and not depth:
            statement = code[start:end]
            if statement.strip():
                before = len(statement) - len(statement.lstrip())
                yield text.count("\n", 0, start + before) + 1, statement.strip()
            start = end + 1


def _uncommented(match: re.Match[str]) -> str:
    return " " * len(match[0]) if match[0].startswith("#") else match[0]


def _hidden(match: re.Match[str]) -> str:
    """As many characters that mean nothing."""
    return (" " if match[0].startswith("#") else "x") * len(match[0])


def _before_equals(statement: str) -> str:
    hidden = _OPAQUE.sub(_hidden, statement)
    return statement[: hidden.index("=")]


def _dotted(text: str) -> Key:
    """The parts of `a."b.c".d`, as TOML reads them."""
    value: Any = tomllib.loads(f"{text.strip()} = 0")
    parts: list[str] = []
    while isinstance(value, dict):
        ((part, value),) = value.items()
        parts.append(part)
    return tuple(parts)


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    # JSON's escapes are TOML's, but for one character that JSON leaves as it is
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def word(key: str) -> str:
    """One part of a key as TOML writes it: bare where it can be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quoted(key)


@dataclass(frozen=True)
class Section:
    """A table of a file. Its methods raise UsageError, with the line, where a value does not fit.

    Attributes:
        file: where it stands.
        key: the way to it.
        data: what it says.
    """

    file: TomlFile
    key: Key
    data: Mapping[str, Any]

    @classmethod
    def at(cls, file: TomlFile, key: Key) -> Section:
        """The table of a key that exists."""
        data: Any = file.data
        for part in key:
            data = data[part]
        if not isinstance(data, dict):
            raise file.error(key, f"{key[-1]} is not a table", "write [section] or { key = value }")
        return cls(file, key, data)

    def error(self, name: str, message: str, hint: str = "", text: str = "") -> UsageError:
        """An error at one of its keys, or at a text in its array; "" is the table itself."""
        return self.file.error((*self.key, name) if name else self.key, message, hint, text)

    @contextmanager
    def located(self, name: str, text: str = "") -> Iterator[None]:
        """What goes wrong inside is said with the line of a key, or of a text in its array."""
        try:
            yield
        except DualcostError as error:
            if isinstance(error, LocatedError) and error.path == self.file.path:
                raise
            raise self.error(name, error.message, error.hint, text) from error

    def only(self, *known: str) -> None:
        """Check that it has no other keys."""
        self.named("key", known)

    def named(self, what: str, known: Sequence[str], only: str = "") -> None:
        """Check that every key, or one, is known; `what` is what keys are called here."""
        for name in [only] if only else self.data:
            if name not in known:
                look = f"{what}s: {', '.join(known)}"
                with self.located(name):
                    raise UnknownNameError(what, name, known, look)

    def table(self, name: str) -> Section:
        """The table of one of its keys; an empty one, where there is none."""
        if name not in self.data:
            return Section(self.file, (*self.key, name), {})
        return Section.at(self.file, (*self.key, name))

    def tables(self, name: str) -> list[Section]:
        """The tables of an array of tables."""
        found = self.data.get(name, [])
        if not isinstance(found, list):
            raise self.error(name, f"{name} is not an array of tables", f"write [[….{name}]]")
        return [Section.at(self.file, (*self.key, name, n)) for n in range(len(found))]

    def text(self, name: str, usual: str = "") -> str:
        """A text, or what is usual."""
        return str(self._typed(name, str, "a text", usual))

    def texts(self, name: str) -> tuple[str, ...]:
        """One text, or several in an array."""
        found = self.data.get(name, [])
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.error(name, f"{name} is not a text or an array of texts")
        return tuple(found)

    def number(self, name: str, usual: int | None = None) -> int | None:
        """A whole number, or what is usual."""
        found: int | None = self._typed(name, int, "a whole number", usual)
        return found

    def flag(self, name: str, usual: bool) -> bool:
        """True or false, or what is usual."""
        return bool(self._typed(name, bool, "true or false", usual))

    def _typed(self, name: str, kind: type, what: str, usual: Any) -> Any:
        found = self.data.get(name, usual)
        if found is usual:
            return usual
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise self.error(name, f"{name} = {found!r} is not {what}")
        return found
