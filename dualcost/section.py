"""A table of a TOML file, read with care: what does not fit is said with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dualcost.errors import DualcostError, UnknownNameError, UsageError
from dualcost.tomlfile import Key, TomlFile


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

    def error(self, name: str, message: str, hint: str = "") -> UsageError:
        """An error at one of its keys; "" is the table itself."""
        return self.file.error((*self.key, name) if name else self.key, message, hint)

    @contextmanager
    def located(self, name: str) -> Iterator[None]:
        """What goes wrong inside is said with the line of a key."""
        try:
            yield
        except DualcostError as error:
            start = f"{self.file.path}:"
            if error.message.startswith(start):
                raise
            raise self.error(name, error.message, error.hint) from error

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
