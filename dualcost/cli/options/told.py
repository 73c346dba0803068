"""What a command tells a record of options: what it leaves out, or writes, or limits."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Annotated, Any, get_args

from dualcost.cli.options.option import one_of
from dualcost.cli.output import Form


class Without:
    """The fields of a record that a command does not take, each with the reason."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field; None if the command does not take it."""
        return None if name in self.reasons else hint


class Forms:
    """The forms that a command writes, the usual one first."""

    def __init__(self, *forms: Form, file: str = "") -> None:
        self.forms = forms
        self.file = file

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field, with what this command writes in its help."""
        kind, option = get_args(hint)
        option = copy(option)
        if name == "format":
            option.help = f"{one_of(self.forms)}; by default that of the ending of -o."
            option.autocompletion = lambda incomplete: [(str(form), "") for form in self.forms]
        if name == "output" and self.file:
            option.help = self.file
        return Annotated[kind, option]


class Metrics:
    """What limits may be on, for their help."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field, with the metrics in its help."""
        kind, option = get_args(hint)
        option = copy(option)
        option.help = option.help.format(metrics=one_of(self.names))
        return Annotated[kind, option]
