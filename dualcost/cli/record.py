"""Options as records: a command takes `change: Change`, the command line each of its fields.

A record is a frozen dataclass whose annotated fields are declarations of typer. What the annotation
of a parameter adds, as in `Annotated[Output, Forms(Form.TABLE, Form.JSON)]`, changes the record's
declarations for this command (`declared`), and is kept in its field `told`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def records(command: Callable[..., Any]) -> dict[type, Any]:
    """The records that a command takes, each with what its annotation tells it (None: nothing)."""
    hints = get_type_hints(command, include_extras=True)
    found = (_record(hint) for hint in hints.values())
    return {kind: told for kind, told in found if kind is not None}


def flat(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with a parameter for each field of the records that it takes."""
    hints = get_type_hints(command, include_extras=True)
    taken: dict[str, tuple[type, Any]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        kind, told = _record(hint)
        if kind is None:
            parameters.append(parameter.replace(annotation=hint))
        else:
            taken[parameter.name] = kind, told
            parameters += _parameters(kind, told)

    @wraps(command)
    def taking_fields(**values: Any) -> Any:
        for name, (kind, told) in taken.items():
            own = {p.name: values.pop(p.name) for p in _parameters(kind, told)}
            values[name] = kind(**own, **({} if told is None else {"told": told}))
        return command(**values)

    # what has a default may stand before what has none: typer calls by name
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    taking_fields.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    taking_fields.__annotations__ = {p.name: p.annotation for p in parameters}
    return taking_fields


def _record(hint: Any) -> tuple[type | None, Any]:
    """The record that a parameter is, and what its annotation tells it."""
    told = None
    if get_origin(hint) is Annotated:
        hint, told = get_args(hint)[:2]
    return (hint, told) if isinstance(hint, type) and is_dataclass(hint) else (None, None)


def _parameters(kind: type, told: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            continue  # it is no option
        if told is not None:
            hint = told.declared(field.name, hint)
            if hint is None:
                continue
        found.append(
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hint
            )
        )
    return found
