"""The command that was typed, to be typed again, and one to try next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from dualcost.costs.profile import Profile
    from dualcost.network.network import Network
    from dualcost.rewrite.request import Request

INPUT = {"--input", "--batch"}
CHANGE = {"--conv", "--G", "--P", "--where", "--but", "--indivisible", "--bias"}
PREDICTED = {"--calibration", "--any-machine", "--channels-last"}
# What each command understands of profile's options.
TAKES = {
    "fit": {*INPUT, "--convention", "--where", "--bias"},
    "verify": {*INPUT, *CHANGE, "--plan"},
    "explain": {*INPUT, *CHANGE, *PREDICTED},
    "roofline": {*INPUT, *CHANGE, *PREDICTED},
}
REPLACED = ("--conv", "--G", "--P")  # what `fit` finds by itself
# What makes no other network of it, so that another command may do without.
VIEW = {"--depth", "--sort", "--top", "--format", "--output", "--unit", "--debug"}
ALIKE = {*VIEW, "--convention", "--latency", *PREDICTED}
# Rules and numbers of groups to try on a network that is as it is, the usual first.
RULES = ("default", "separable", "inverted-residual")
GROUPS = (4, 2)

Words = tuple[str, ...]


def footer(context: typer.Context, network: Network, result: Profile) -> list[tuple[str, str]]:
    """Labels and commands for the end of a table: what was typed, and what may be typed next."""
    given = _given(context)
    model = context.params["model"]
    again = ("profile", model, *_joined(given, set(given) - {"--output", "--debug"}))
    found = _next(model, given, network, result)
    return [
        (label, shlex.join(("dualcost", *words)))
        for label, words in (("reproduce", again), ("next", found))
        if words
    ]


def typed(context: typer.Context) -> str:
    """The whole command, as it was typed."""
    return shlex.join(["dualcost", *(context.obj or ())])


def _given(context: typer.Context) -> dict[str, list[Words]]:
    """Each option that stands on the command line, in that order, with its words for each time."""
    options = {option.name or "": option for option in context.command.params}
    typed = (options[name] for name in context.params if _typed(context, name))
    return {
        max(option.opts, key=len): list(_words(option, context.params[option.name or ""]))
        for option in typed
        if option.param_type_name == "option"
    }


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _words(option: Any, value: Any) -> Iterator[Words]:
    name = max(option.opts, key=len)
    if option.is_flag:
        yield (name,)
        return
    for one in value if option.multiple else [value]:
        yield (name, str(one.value if isinstance(one, Enum) else one))


def _joined(given: dict[str, list[Words]], names: set[str]) -> Words:
    """The words of some options."""
    times = (times for name, times in given.items() if name in names)
    return tuple(word for words in times for one in words for word in one)


def _next(model: str, given: dict[str, list[Words]], network: Network, result: Profile) -> Words:
    """What one may want to know next, for this network; () where nothing comes to mind."""
    from dualcost.kinds.kinds import DUAL
    from dualcost.rewrite.subject import Subject

    asked = result.rewrite
    if result.partial and "--rules" not in given:
        # the ops that are named above are counted by rules of the user's own
        return ("profile", model, *_joined(given, set(given) - VIEW), "--rules", "rules.py")
    if result.latency is not None:
        return _other("explain" if asked else "roofline", model, given)
    if asked is None:
        change = _change(network)
        if change:
            return ("profile", model, *_joined(given, set(given) - VIEW), *change)
    elif budget := _budget(result, asked):
        kinds = ("--conv", asked.kind.name) if asked.kind is not DUAL else ()
        others = {name: words for name, words in given.items() if name not in REPLACED}
        # `fit` finds by itself what the text of a model may say
        found = _other("fit", Subject.parse(model, several=True).model, others, *budget, *kinds)
        if found:
            return found
    return _other("verify", model, given)


def _other(command: str, model: str, given: dict[str, list[Words]], *more: str) -> Words:
    """Another command about the same network; () if it cannot be told of something."""
    if set(given) - TAKES[command] - ALIKE:
        return ()
    return (command, model, *more, *_joined(given, TAKES[command]))


def _change(network: Network) -> Words:
    """A dual convolution in its most usual form that this network can have."""
    from dualcost.errors import DualcostError
    from dualcost.kinds.kinds import DUAL
    from dualcost.rewrite.request import Request
    from dualcost.rewrite.rewrite import rewrite

    for rule in RULES:
        for groups in GROUPS:
            try:
                rewrite(network, Request.parse(DUAL, groups, where=rule)).checked()
            except DualcostError:
                continue
            where = ("--where", rule) if rule != "default" else ()
            return ("--conv", DUAL.name, "--G", str(groups), *where)
    return ()


def _budget(result: Profile, asked: Request) -> Words:
    """What uniform groups came down to, as a budget that `fit` may meet with a smaller change."""
    from fractions import Fraction

    from dualcost.units import no_less

    uniform = asked.divisor & (asked.divisor - 1) == 0 and not asked.exemptions
    if not uniform or not asked.kind.letter or result.after.macs >= result.before.macs:
        return ()
    return ("--budget", f"macs={no_less(Fraction(result.after.macs))}".replace(" ", ""))
